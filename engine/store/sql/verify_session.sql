-- Settings of the transaction in which everything is checked: time, and memory to sort in, are not short.
SELECT
    set_config('statement_timeout', '0', true),
    set_config('idle_in_transaction_session_timeout', '0', true),
    set_config('work_mem', '64MB', true),
    set_config('jit', 'off', true)
