-- Workers take jobs from a queue. SKIP LOCKED: nobody waits, and no job is done twice.

setup {
  CREATE TABLE jobs (id INT PRIMARY KEY, done INT NOT NULL);
  INSERT INTO jobs VALUES (1, 0), (2, 0);
}

session worker * 2 {
  BEGIN;
  SELECT id FROM jobs WHERE done = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED \gset
  UPDATE jobs SET done = done + 1 WHERE id = :id;
  COMMIT;
}

never: SELECT * FROM jobs WHERE done > 1
finally never: SELECT * FROM jobs WHERE done = 0
