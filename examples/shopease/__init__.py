"""ShopEase: a small shop in three Regions, one process in each, over ``domicile.client``."""
