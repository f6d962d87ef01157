// SPDX-License-Identifier: MIT

import type { Pipe } from "../pipe/index.ts";

/** So many pipes that are of no use are looked at again and again; more are asked to tell us. */
const POLLED = 4;

/**
 * rotation — pipes in turn, those that can be used in front.
 *
 *      pipes   [ a  b  c  d | e  f  g ]
 *                   ▲       │
 *                current  active
 *
 * The first `active` pipes take part; to change a pipe's standing is to swap it across the border.
 */
export class Rotation {
  readonly pipes: Pipe[] = [];
  readonly #index = new Map<Pipe, number>();
  active = 0;
  current = 0;

  /** Whether those that take part are so many that who is of no use now is to stand aside. */
  get isCrowded(): boolean {
    return this.active > POLLED;
  }

  has(pipe: Pipe): boolean {
    return this.#index.has(pipe);
  }

  /** A new pipe takes part, after all others. */
  add(pipe: Pipe): void {
    this.#index.set(pipe, this.pipes.length);
    this.pipes.push(pipe);
    this.activate(pipe);
  }

  activate(pipe: Pipe): void {
    const index = this.#index.get(pipe);
    if (index === undefined || index < this.active) return;
    this.#swap(index, this.active);
    this.active++;
  }

  deactivate(pipe: Pipe): void {
    const index = this.#index.get(pipe);
    if (index === undefined || index >= this.active) return;
    this.active--;
    this.#swap(index, this.active);
    if (this.current >= this.active) this.current = 0;
  }

  remove(pipe: Pipe): void {
    this.deactivate(pipe);
    const index = this.#index.get(pipe);
    if (index === undefined) return;
    this.#swap(index, this.pipes.length - 1);
    this.pipes.pop();
    this.#index.delete(pipe);
  }

  /** The turn passes on. */
  advance(): void {
    this.current++;
    if (this.current >= this.active) this.current = 0;
  }

  /** It is this pipe's turn. */
  turnTo(pipe: Pipe): void {
    this.activate(pipe);
    this.current = this.#index.get(pipe) as number;
  }

  #swap(a: number, b: number): void {
    if (a === b) return;
    const first = this.pipes[a] as Pipe;
    const second = this.pipes[b] as Pipe;
    this.pipes[a] = second;
    this.pipes[b] = first;
    this.#index.set(second, a);
    this.#index.set(first, b);
  }
}
