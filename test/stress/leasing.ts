// SPDX-License-Identifier: MIT

/**
 * leasing — sockets that receive by leases, and hold the last few: as long as one is held its bytes
 * are what they were.
 */
import assert from "node:assert/strict";
import { type Lease, Pull, Subscriber } from "threadmq";

const MOST = 8;

interface Held {
  readonly lease: Lease;
  readonly copy: Buffer[];
}

class Holder {
  readonly #held: Held[] = [];
  #turn = 0;

  /** Takes a lease, and releases one of those before. */
  take<M>(lease: Lease): M {
    this.#held.push({ lease, copy: lease.message.map((part) => Buffer.from(part)) });
    if (this.#held.length > MOST) this.#release(this.#held.splice(this.#turn++ % MOST, 1));
    return lease.message as M;
  }

  releaseAll(): void {
    this.#release(this.#held.splice(0));
  }

  #release(held: readonly Held[]): void {
    for (const { lease, copy } of held) {
      for (const [index, part] of lease.message.entries()) {
        assert.ok(copy[index]?.equals(part), "what is leased has not changed");
      }
      lease.release();
    }
  }
}

function leasing(Base: new (options?: any) => any): new (options?: object) => any {
  return class extends Base {
    readonly #holder = new Holder();

    async receive<M>(options?: object): Promise<M> {
      return this.#holder.take(await this.receiveLease(options));
    }

    receiveSync<M>(options?: object): M {
      return this.#holder.take(this.receiveLeaseSync(options));
    }

    tryReceive<M>(): M | undefined {
      const lease = this.tryReceiveLease();
      return lease === undefined ? undefined : this.#holder.take(lease);
    }

    close(): void {
      super.close();
      this.#holder.releaseAll();
    }
  };
}

export const LeasingPull: new (options?: object) => any = leasing(Pull);
export const LeasingSubscriber: new (options?: object) => any = leasing(Subscriber);
