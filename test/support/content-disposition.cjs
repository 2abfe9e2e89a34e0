// Mercurius serves its playground with @fastify/static, which requires a package of ES modules; Jest does not know how to. No
// test downloads anything from it.
const create = name => (name === undefined ? 'attachment' : `attachment; filename="${encodeURI(name)}"`);
module.exports = Object.assign(create, { create });
