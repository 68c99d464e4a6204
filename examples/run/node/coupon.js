#!/usr/bin/env node
// Redeems the coupon with node-postgres, in the way that is asked for, and says "redeemed".

const path = require("node:path");
const packages = path.join(__dirname, "..", "packages", "pg-8.13.1", "node_modules");
const { Client } = require(path.join(packages, "pg"));

const ways = {
  async lookThenUpdate(client) {
    const found = await client.query("SELECT used FROM coupons WHERE id = $1", [1]);
    if (found.rows[0].used) return false;
    await client.query("UPDATE coupons SET used = true WHERE id = $1", [1]);
    return true;
  },
  async oneStatement(client) {
    const done = await client.query("UPDATE coupons SET used = true WHERE id = $1 AND NOT used", [1]);
    return done.rowCount === 1;
  },
};

(async () => {
  const client = new Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  if (await ways[process.argv[2]](client)) console.log("redeemed");
  await client.end();
})();
