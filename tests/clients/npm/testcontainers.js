// What is tried with testcontainers; one function per test of testcontainers.bats: node testcontainers.js NAME.
const assert = require('assert');
const { GenericContainer, Network, Wait } = require('testcontainers');

const IMAGE = 'kist.local/busybox:latest';

const tests = {
	async life() {
		const c = await new GenericContainer(IMAGE)
			.withCommand(['sh', '-c', 'echo is ready; exec sleep 100'])
			.withEnvironment({ A: 'b' })
			.withLabels({ kind: 'tested' })
			.withTmpFs({ '/y': 'rw' })
			.withCopyContentToContainer([{ content: 'copied', target: '/tmp/file' }])
			.withWaitStrategy(Wait.forLogMessage('is ready'))
			.start();
		assert.equal((await c.exec(['cat', '/tmp/file'])).output, 'copied');
		assert.equal((await c.exec(['sh', '-c', 'echo $A'])).output, 'b\n');
		assert.equal((await c.exec(['sh', '-c', 'exit 3'])).exitCode, 3);
		assert.ok(c.getName() && c.getId());
		await c.copyContentToContainer([{ content: 'later', target: '/tmp/later' }]);
		assert.equal((await c.exec(['cat', '/tmp/later'])).output, 'later');
		await c.restart();
		assert.equal((await c.exec(['true'])).exitCode, 0);
		await c.stop();
	},

	async logs() {
		const c = await new GenericContainer(IMAGE).withCommand(['sh', '-c', 'echo one; echo ready; exec sleep 100']).withWaitStrategy(Wait.forLogMessage(/ready/)).start();
		const line = await new Promise(async (resolve) => (await c.logs()).on('data', resolve));
		assert.match(line.toString(), /one/);
		await c.stop();
	},

	async health() {
		const c = await new GenericContainer(IMAGE).withCommand(['sleep', '100'])
			.withHealthCheck({ test: ['CMD', 'true'], interval: 300, timeout: 5000, retries: 5 })
			.withWaitStrategy(Wait.forHealthCheck()).start();
		await c.stop();
	},

	async command() {
		const c = await new GenericContainer(IMAGE).withCommand(['sleep', '100']).withWaitStrategy(Wait.forSuccessfulCommand('true')).start();
		await c.stop();
	},

	async network() {
		const network = await new Network().start();
		const a = await new GenericContainer(IMAGE).withCommand(['sleep', '100']).withNetwork(network).withNetworkAliases('first').withWaitStrategy(Wait.forSuccessfulCommand('true')).start();
		assert.ok(a.getIpAddress(network.getName()));
		await a.stop();
		await network.stop();
	},

	async missing() {
		await assert.rejects(new GenericContainer('kist.local/nosuch:1').start());
	},
};

// A node with nothing more to wait for ends with 0, whether the test has ended or not; and the library's stream of logs is nothing to wait for.
setInterval(() => {}, 1000);
tests[process.argv[2]]().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
