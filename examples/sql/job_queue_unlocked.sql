-- The same queue without a lock: two workers take the same job.

setup {
  CREATE TABLE jobs (id INT PRIMARY KEY, done INT NOT NULL);
  INSERT INTO jobs VALUES (1, 0), (2, 0);
}

session worker * 2 {
  BEGIN;
  SELECT id FROM jobs WHERE done = 0 ORDER BY id LIMIT 1 \gset
  UPDATE jobs SET done = done + 1 WHERE id = :id;
  COMMIT;
}

never: SELECT * FROM jobs WHERE done > 1
