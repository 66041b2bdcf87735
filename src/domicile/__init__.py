"""Domicile: DynamoDB replication across AWS Regions that keeps personal data in the Region its law names."""
