-- Say that this session lives, between two decisions that take a while.
SELECT
