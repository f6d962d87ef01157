/** main — tasks for the pool: some succeed, one fails, and one kills its thread. */
import { Pool } from "./pool.ts";

const pool = new Pool(new URL("./tasks.js", import.meta.url), 2);

const tasks = [20, 21, 22, 23, 24, 25].map((n) => pool.run("fibonacci", n));
const told = (error: Error) => `${error.name}: ${error.message}`;
const others = ["refuse", "die"].map((name) => pool.run(name).catch(told));

console.log((await Promise.all(tasks)).join(", "));
for (const other of others) console.log(await other);
console.log(`and on: ${await pool.run("fibonacci", 26)}`);
pool.close();
