"""The experiments that chose the settings of the presets."""
