/** tasks — what the pool's workers can do. */
import { serve } from "./pool.ts";

await serve({
  fibonacci,
  refuse: () => Promise.reject(new RangeError("not today")),
  die: () => process.exit(1),
});

function fibonacci(n: number): number {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}
