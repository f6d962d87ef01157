// SPDX-License-Identifier: MIT

/**
 * tap — Node's own tap, with the failures once more before the closing count: whoever sees only the
 * end of a long output sees them.
 */
import { relative } from "node:path";
import { type TestEvent, tap as whole } from "node:test/reporters";
import { format } from "node:util";

type Events = AsyncGenerator<TestEvent, void>;

/** Of more failures than that, only the number is told. */
const MOST_FAILURES = 20;
const MOST_LINES = 12;

/** A generator: Node takes other functions for classes. */
export default async function* tap(events: Events): AsyncGenerator<string, void> {
  yield* whole(withFailures(events));
}

async function* withFailures(events: Events): Events {
  const names: string[] = [];
  const failures: string[][] = [];
  /** What each file has written to stderr: a file that has broken down says why there. */
  const heard = new Map<string, string>();
  /** What a test has had to say comes after its result: a seed, say. */
  let last: string[] = [];
  for await (const event of events) {
    if (event.type === "test:start") {
      names.length = event.data.nesting;
      names.push(event.data.name);
      last = [];
    } else if (event.type === "test:stderr") {
      const { file, message } = event.data;
      heard.set(file, (heard.get(file) ?? "") + message);
    } else if (event.type === "test:fail") {
      last = failed(event.data, names.slice(0, event.data.nesting), heard);
      if (last.length > 0) failures.push(last);
    } else if (event.type === "test:diagnostic") {
      const { nesting, message } = event.data;
      if (nesting === 0 && message.startsWith("tests ")) yield* told(failures);
      else last.push(message);
    }
    yield event;
  }
}

type Failure = Extract<TestEvent, { type: "test:fail" }>["data"];

/** The lines about a failure; none if it is that of a test within, which has been told. */
function failed(
  { name, file = "", details }: Failure,
  parents: string[],
  heard: ReadonlyMap<string, string>,
): string[] {
  const error = details.error as { cause: unknown; failureType?: string; exitCode?: unknown };
  if (error.failureType === "subtestsFailed") return [];
  const { cause } = error;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : format(cause);
  if (name !== file) {
    const title = `${relative("", file)}: ${[...parents, name].join(" > ")}`;
    return [title, ...linesOf(text).slice(0, MOST_LINES)];
  }
  // A file as a whole: it was ended from outside, or ended itself.
  const title = `${relative("", file)}: ${text}, exit code ${error.exitCode ?? "none"}`;
  return [title, ...linesOf(heard.get(file) ?? "").slice(-MOST_LINES)];
}

/** Without those that are the same in every trace. */
function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => /\S/.test(line) && !/^ +at .*node:/.test(line));
}

function* told(failures: string[][]): Generator<TestEvent, void> {
  const shown = failures.slice(0, MOST_FAILURES).flatMap(([title, ...lines]) => {
    return [`not ok: ${title}`, ...lines.map((line) => `    ${line}`)];
  });
  if (failures.length > MOST_FAILURES) shown.push(`not ok: ${failures.length} in all`);
  for (const message of shown) yield { type: "test:diagnostic", data: { nesting: 0, message } };
}
