"""History: the records of the core as SQL rows, each exactly once; what people ask of them; and the recorded sound."""
