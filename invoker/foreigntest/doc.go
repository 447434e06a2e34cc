// Package foreigntest tests polyvoke with NATS clients that know nothing of it: the npm packages nats and
// @nats-io/transport-node, run by Node. It has no code of its own.
//
// The scripts are in the folder clients, the versions of the packages in package.json. The command
// make foreign-tools installs them into build/foreign at the root of the repository; the environment
// variable POLYVOKE_FOREIGN names another node_modules folder.
package foreigntest
