import DataLoader from 'dataloader';
import type { Author } from '../chat/chat.js';
import type { ChatRepository } from '../chat/chat.repository.js';

export type AuthorsLoader = DataLoader<number, Author>;

/**
 * The authors of all messages of a request in one query. To be made for each request: what one has loaded is not for
 * others, and its query is to run on the connection of the request.
 */
export function authorsLoader(chat: ChatRepository): AuthorsLoader {
  return new DataLoader(async ids => {
    const authors = new Map((await chat.authorsById(ids)).map(author => [author.id, author]));
    return ids.map(id => authors.get(id) ?? new Error('There is no such author'));
  });
}
