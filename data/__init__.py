"""The dataset builders, one package per data set; installed as `interhat_tf.datasets`."""
