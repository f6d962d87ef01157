// SPDX-License-Identifier: MIT

/** place — where in the source something happened, as failures show it. */

/** The line of a program, or else of the library, in a stack; with the function it stands in. */
export function placeOf(stack: string): string {
  const lines = stack.split("\n").slice(1);
  const own = lines.filter((line) => !/[\\/]explorer[\\/][a-z]+\.[jt]s|node:/.test(line));
  const names = own.map((line) => {
    const match = /at (?:(?:async )?(.*?) \()?(?:.*[\\/])?([^\\/]+:\d+):\d+\)?$/.exec(line);
    const name = match?.[1]?.replace("Runner.<anonymous>", "").replaceAll("\\", "") ?? "";
    return `${name} (${match?.[2]})`.trimStart();
  });
  return names.slice(0, 3).join(" < ");
}
