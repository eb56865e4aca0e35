import numpy as np
import pytest

from interhat_tf.input_pipeline.click_log import prepare_click_log


@pytest.fixture
def flags_of_clicks(tmp_path):
    """The flags that name a small prepared log, of three blocks of training rows, and folders."""
    rng = np.random.default_rng(0)
    clicks, users, apps = (rng.integers(n, size=24_000).tolist() for n in (2, 50, 30))
    rows = [f"{c},u{u},a{a}" for c, u, a in zip(clicks, users, apps, strict=True)]
    log = tmp_path / "clicks.csv"
    log.write_text("\n".join(["click,user,app", *rows]) + "\n")
    prepare_click_log(log, name="clicks", data_dir=tmp_path / "data")
    folders = [f"--{name}_dir={tmp_path}/{name}" for name in ("data", "runs", "results")]
    return ["--dataset=clicks", *folders]
