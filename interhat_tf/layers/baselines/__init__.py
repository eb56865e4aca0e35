"""The layers of the models that InterHAt is compared with."""
