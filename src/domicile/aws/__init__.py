"""The ports of ``domicile.pipeline`` over boto3, with injected clients."""
