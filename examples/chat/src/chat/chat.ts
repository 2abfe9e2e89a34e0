export interface Author {
  id: number;
  name: string;
}

export interface Room {
  name: string;
  /** How many messages there are to be seen. */
  said: number;
}

export interface Message {
  id: number;
  room: string;
  authorId: number;
  text: string;
}

/** A message as those in the room see it. */
export interface Line {
  id: number;
  author: string;
  text: string;
}
