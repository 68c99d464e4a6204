-- A coupon is redeemed twice: each session looks whether it is free, and takes it then.
-- toctou sql coupon.sql

setup {
  CREATE TABLE coupons (id INT PRIMARY KEY, used INT NOT NULL);
  INSERT INTO coupons VALUES (1, 0);
}

session redeem * 2 {
  BEGIN;
  SELECT used = 0 AS free FROM coupons WHERE id = 1 \gset
  \if :free
    UPDATE coupons SET used = used + 1 WHERE id = 1;
  \endif
  COMMIT;
}

never: SELECT * FROM coupons WHERE used > 1
reachable: SELECT * FROM coupons WHERE used = 1
