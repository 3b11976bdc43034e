-- End all API keys of a person, and forget what they were called.
-- $1 person
UPDATE api_key SET ended_at = coalesce(ended_at, now()), name = NULL
WHERE person = $1
