"""Click logs in the format of Criteo's and Avazu's, of any length."""
