// Looks at every Region's service once a second: its counters, and its copies of the items that were written last.
"use strict";

const INTERVAL_MS = 1000;
const TIMEOUT_MS = 5000;
const PER_TABLE = 3;
const TABLES = { inventory: ["sku"], customers: ["customer_id"], orders: ["pk", "sk"] };
const EVENTS = {
  failover: "failovers",
  redirect: "redirects",
  resolve: "resolves",
  held_local: "held for a home",
};
const watched = { inventory: [], customers: [], orders: [] };

async function get(base, path) {
  const response = await fetch(base + path, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

// Text goes into the page as text alone: what customers wrote must not run here.
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function counters(status) {
  const sum = (counts) => Object.entries(counts).map(([name, count]) => `${name} ${count}`).join(", ") || "none";
  const rows = [
    ["requests", "requests", status.requests],
    ["latency", "latency p50, p95", `${status.latency_ms.p50} ms, ${status.latency_ms.p95} ms`],
    ["errors", "errors", sum(status.errors)],
    ...Object.entries(EVENTS).map(([event, label]) => [event, label, status.events[event]]),
    ...Object.entries(status.reads).map(([table, regions]) => [`reads-${table}`, `${table} read in`, sum(regions)]),
    ["circuits", "left alone", status.circuits_open.join(", ") || "none"],
  ];
  const list = rows.flatMap(([id, label, value]) => [
    element("dt", {}, label),
    element("dd", { "data-counter": id }, String(value)),
  ]);
  return element("dl", {}, ...list);
}

function kindOf(held, region) {
  if (held === null) return "absent";
  if (held.is_stub) return "stub";
  return held.home === null || held.home === region ? "full" : "held";
}

function copy(table, key, held, region) {
  const kind = kindOf(held, region);
  const label = {
    absent: "not here",
    stub: `stub, lives in ${held?.home}`,
    held: `full, until it is in ${held?.home}`,
    full: "full",
  }[kind];
  const names = Object.keys(held?.item ?? {}).filter((name) => !TABLES[table].includes(name)).sort();
  const shown = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  const values = names.map((name) => `${name}: ${shown(held.item[name])}`).join(" · ");
  return element(
    "div",
    { class: "item", "data-kind": kind, "data-key": key },
    element("div", { class: "kind" }, `${key} – ${label}`),
    element("div", { class: "values" }, values),
  );
}

async function copies(region, base) {
  const found = [];
  for (const [table, keys] of Object.entries(watched)) {
    if (!keys.length) continue;
    const query = keys.map((key) => `key=${encodeURIComponent(key)}`).join("&");
    const held = await get(base, `/copies?table=${table}&${query}`);
    found.push(element("h3", {}, table), ...keys.map((key, number) => copy(table, key, held[number], region)));
  }
  return found;
}

// The latest items of all Regions together, so that every column shows the same ones.
function watch(statuses) {
  for (const [table, names] of Object.entries(TABLES)) {
    const written = statuses.flatMap((status) => status.latest[table] ?? []);
    written.sort((one, other) => other.at_ms - one.at_ms);
    const keys = written.map(({ key }) => names.map((name) => key[name]).join("/"));
    watched[table] = [...new Set(keys)].slice(0, PER_TABLE);
  }
}

async function look(region, base, column) {
  let state = "in service";
  let status = null;
  let items = [];
  try {
    status = await get(base, "/status");
    items = await copies(region, base).catch((error) => {
      if (error.message !== "503") throw error;
      state = "cut-off";
      return [element("p", {}, "This Region's tables do not answer. Its service goes on with the next Region.")];
    });
  } catch {
    state = "stopped";
  }
  column.dataset.state = state;
  column.replaceChildren(
    element("h2", {}, region, element("span", { class: "state" }, state.replace("-", " "))),
    ...(status ? [counters(status)] : []),
    ...items,
  );
  return status;
}

async function main() {
  const regions = Object.entries(await get("", "/regions"));
  const columns = regions.map(([region]) => element("section", { class: "region", "data-region": region }));
  document.getElementById("regions").append(...columns);
  for (;;) {
    const found = await Promise.all(regions.map(([region, base], number) => look(region, base, columns[number])));
    watch(found.filter(Boolean));
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}

main();
