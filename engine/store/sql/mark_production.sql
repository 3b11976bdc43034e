-- Note that people rely on this installation. It is never taken back.
INSERT INTO installation AS standing (singleton, production)
VALUES (true, true)
ON CONFLICT (singleton) DO UPDATE SET production = true WHERE NOT standing.production
