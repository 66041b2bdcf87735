"""The ShopEase scenario on the local AWS: what an application sees of the replication, step by step."""
