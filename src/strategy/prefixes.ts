// SPDX-License-Identifier: MIT

/**
 * prefixes — which topics are subscribed to: a trie of prefixes, each counted.
 *
 *      "", "ab" twice, "ac"        ● 1 ── a ── ○ ──┬── b ── ● 2
 *                                                  └── c ── ● 1
 *
 * A topic matches if one of the nodes on its way is a prefix; it costs a step for each byte, up to
 * the shortest prefix, however many there are.
 */
export class Prefixes {
  readonly #root = new Node();

  /** Adds a prefix. True if it was not there before. */
  add(prefix: Uint8Array): boolean {
    let node = this.#root;
    for (const byte of prefix) {
      node.children ??= new Map();
      let child = node.children.get(byte);
      if (child === undefined) {
        child = new Node();
        node.children.set(byte, child);
      }
      node = child;
    }
    return ++node.count === 1;
  }

  /** Takes back one `add` of a prefix. True if it is no longer there; false also if it was not. */
  remove(prefix: Uint8Array): boolean {
    const way: Node[] = [this.#root];
    for (const byte of prefix) {
      const child = way.at(-1)?.children?.get(byte);
      if (child === undefined) return false;
      way.push(child);
    }
    const last = way.at(-1) as Node;
    if (last.count === 0) return false;
    if (--last.count > 0) return false;
    for (let depth = prefix.length; depth > 0 && isBare(way[depth] as Node); depth--) {
      way[depth - 1]?.children?.delete(prefix[depth - 1] as number);
    }
    return true;
  }

  /** Whether a topic begins with one of the prefixes. */
  matches(topic: Uint8Array): boolean {
    let node: Node | undefined = this.#root;
    for (let at = 0; node !== undefined; at++) {
      if (node.count > 0) return true;
      if (at === topic.length) return false;
      node = node.children?.get(topic[at] as number);
    }
    return false;
  }
}

class Node {
  /** How often the prefix that ends here was added. */
  count = 0;
  children: Map<number, Node> | undefined;
}

/** Whether nothing ends at a node or leads on from it. */
function isBare(node: Node): boolean {
  return node.count === 0 && (node.children === undefined || node.children.size === 0);
}
