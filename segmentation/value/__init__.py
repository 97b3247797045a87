"""What customers will buy: models of purchases and of what one is worth, fitted by maximum likelihood."""
