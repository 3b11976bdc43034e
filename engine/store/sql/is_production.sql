-- Read whether people rely on this installation.
-- Zero rows: nothing was ever started on it.
SELECT production FROM installation
