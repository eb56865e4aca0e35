"""The paper's tables and figures, one program each."""
