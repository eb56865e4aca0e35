"""The models that InterHAt is compared with."""
