import { mikroOrmDriver } from './mikro-orm.js';
import { servesLibrary } from './suite.js';

servesLibrary(mikroOrmDriver);
