"""What leaves the house: webhooks by HTTP, e-mail by SMTP."""
