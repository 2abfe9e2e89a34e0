import { knexDriver } from './knex.js';
import { servesLibrary } from './suite.js';

servesLibrary(knexDriver);
