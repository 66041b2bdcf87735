// Preloaded into the jsii kernel's Node process. The provider package's index requires each of its 2,100 submodules at
// once; this gives the index a stand-in for each, which requires the submodule when one of its classes is first asked for.
"use strict";
const Module = require("node:module");

const INDEX = /[\\/]@cdkt[fn][\\/]provider-[^\\/]+[\\/](?:.+[\\/])?lib[\\/]index\.js$/;
const load = Module.prototype.require;

Module.prototype.require = function (id) {
  if (!INDEX.test(this.filename)) return load.call(this, id);
  let submodule;
  return new Proxy({}, { get: (_, name) => (submodule ??= load.call(this, id))[name] });
};
