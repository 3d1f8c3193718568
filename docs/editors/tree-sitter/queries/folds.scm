[(body) (residual) (rep_stage) (doc)] @fold
