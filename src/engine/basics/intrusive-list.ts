/** What a member of an {@link IntrusiveList} carries; written by the list only. */
export interface Links<N> {
  prev: N | undefined;
  next: N | undefined;
}

/** A doubly linked list through its members: every operation O(1), none allocates. A member is in one list at most. */
export class IntrusiveList<N extends Links<N>> {
  /** Written by the list only, as are the other two. */
  length = 0;
  first: N | undefined = undefined;
  last: N | undefined = undefined;

  push(node: N): void {
    node.prev = this.last;
    node.next = undefined;
    if (this.last !== undefined) this.last.next = node;
    else this.first = node;
    this.last = node;
    this.length++;
  }

  /** Puts it before a member of this list; without one, at the end. */
  insert(node: N, next: N | undefined): void {
    if (!next) {
      this.push(node);
      return;
    }
    node.prev = next.prev;
    node.next = next;
    if (next.prev) next.prev.next = node;
    else this.first = node;
    next.prev = node;
    this.length++;
  }

  /** Takes a member out. It must be in this list. */
  remove(node: N): void {
    if (node.prev !== undefined) node.prev.next = node.next;
    else this.first = node.next;
    if (node.next !== undefined) node.next.prev = node.prev;
    else this.last = node.prev;
    node.prev = node.next = undefined;
    this.length--;
  }

  shift(): N | undefined {
    const node = this.first;
    if (node) this.remove(node);
    return node;
  }

  pop(): N | undefined {
    const node = this.last;
    if (node) this.remove(node);
    return node;
  }
}
