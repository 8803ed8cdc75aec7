// What is tried with dockerode; one function per test of dockerode.bats: node dockerode.js NAME.
const assert = require('assert');
const { PassThrough } = require('stream');
const Docker = require('dockerode');

const IMAGE = 'kist.local/busybox';
const docker = new Docker({ socketPath: process.env.DOCKER_HOST.replace('unix://', '') });

const text = async (stream) => {
	const parts = [];
	for await (const part of stream) parts.push(part);
	return Buffer.concat(parts).toString();
};
const fails = async (promise, status) => {
	await assert.rejects(promise, (error) => error.statusCode === status && (!error.json || typeof error.json.message === 'string'));
};
// Both streams of a framed one.
const apart = async (stream) => {
	const out = new PassThrough(), err = new PassThrough();
	docker.modem.demuxStream(stream, out, err);
	stream.on('end', () => { out.end(); err.end(); });
	return Promise.all([text(out), text(err)]);
};

const tests = {
	async system() {
		assert.equal((await docker.ping()).toString(), 'OK');
		assert.equal((await docker.version()).Os, 'linux');
		assert.ok((await docker.info()).NCPU >= 1);
		assert.ok(Array.isArray((await docker.df()).Containers));
		assert.equal((await new Docker({ socketPath: docker.modem.socketPath, version: 'v1.24' }).info()).Driver, (await docker.info()).Driver);
	},

	async run() {
		const out = new PassThrough();
		const [result, container] = await docker.run(IMAGE, ['sh', '-c', 'echo said; exit 3'], out, { Tty: false });
		assert.equal(result.StatusCode, 3);
		await container.remove();
		await fails(docker.createContainer({ Image: 'kist.local/nosuch' }), 404);
	},

	async life() {
		const c = await docker.createContainer({ Image: IMAGE, name: 'node-life', Cmd: ['sh', '-c', 'trap "exit 5" TERM; while :; do sleep 0.1; done'], Labels: { a: 'b' } });
		await c.start();
		await assert.rejects(c.start(), (error) => error.statusCode === 304);
		assert.equal((await c.inspect()).State.Running, true);
		assert.deepEqual((await docker.listContainers({ filters: { label: ['a=b'] } })).map((x) => x.Names[0]), ['/node-life']);
		await c.pause();
		assert.equal((await c.inspect()).State.Paused, true);
		await c.unpause();
		assert.ok((await c.top({ ps_args: 'aux' })).Processes.length >= 1);
		await c.rename({ name: 'node-renamed' });
		await c.update({ Memory: 64 << 20, MemorySwap: 64 << 20 });
		assert.equal((await c.inspect()).HostConfig.Memory, 64 << 20);
		await c.restart({ t: 5 });
		const next = c.wait({ condition: 'next-exit' });
		await c.stop({ t: 20 });
		assert.equal((await next).StatusCode, 5);
		await c.remove();
		await fails(c.inspect(), 404);
	},

	async exec() {
		const c = await docker.createContainer({ Image: IMAGE, Cmd: ['sleep', '100'] });
		await c.start();
		for (let i = 0; i < 20; i++) {
			const exec = await c.exec({ Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 4'], AttachStdout: true, AttachStderr: true });
			const [out, err] = await apart(await exec.start({ hijack: i % 2 === 0 }));
			assert.deepEqual([out, err], ['out\n', 'err\n']);
			assert.equal((await exec.inspect()).ExitCode, 4);
		}
		const cat = await c.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
		const stream = await cat.start({ hijack: true, stdin: true });
		stream.end('through\n');
		assert.deepEqual((await apart(stream))[0], 'through\n');
		const tty = await c.exec({ Cmd: ['sh', '-c', 'sleep 0.5; stty size'], AttachStdout: true, Tty: true });
		const terminal = await tty.start({ hijack: true, Tty: true });
		await tty.resize({ h: 7, w: 9 });
		assert.match(await text(terminal), /7 9/);
		await c.remove({ force: true });
	},

	async logs() {
		const c = await docker.createContainer({ Image: IMAGE, Cmd: ['sh', '-c', 'echo one; echo two >&2; sleep 1; echo three'] });
		await c.start();
		const [out, err] = await apart(await c.logs({ follow: true, stdout: true, stderr: true }));
		assert.deepEqual([out, err], ['one\nthree\n', 'two\n']);
		assert.match((await c.logs({ stdout: true, tail: 1 })).toString(), /three/);
		await c.remove();
	},

	async attach() {
		const c = await docker.createContainer({ Image: IMAGE, Cmd: ['cat'], OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true });
		const stream = await c.attach({ stream: true, stdin: true, stdout: true, hijack: true });
		await c.start();
		stream.end('said\n');
		assert.equal((await apart(stream))[0], 'said\n');
		assert.equal((await c.wait()).StatusCode, 0);
		await c.remove();
	},

	async files() {
		const c = await docker.createContainer({ Image: IMAGE, Cmd: ['true'] });
		const archive = await c.getArchive({ path: '/etc/passwd' });
		const bytes = Buffer.from(await text(archive), 'latin1');
		assert.ok(bytes.includes('passwd'));
		const stat = (await c.infoArchive({ path: '/etc' })).headers['x-docker-container-path-stat'];
		assert.equal(JSON.parse(Buffer.from(stat, 'base64')).name, 'etc');
		await fails(c.getArchive({ path: '/nosuch' }), 404);
		await c.remove();
	},

	async events() {
		const stream = await docker.getEvents({ filters: { type: ['container'], event: ['create'] } });
		const first = new Promise((resolve) => stream.once('data', resolve));
		const c = await docker.createContainer({ Image: IMAGE });
		assert.equal(JSON.parse(await first).Actor.ID, c.id);
		stream.destroy();
		await c.start().catch(() => {});
		const sample = await c.stats({ stream: false });
		assert.equal(sample.id, c.id);
		await c.remove({ force: true });
	},

	async others() {
		const v = await docker.createVolume({ Name: 'node-volume', Labels: { a: 'b' } });
		assert.ok((await docker.listVolumes({ filters: { label: ['a=b'] } })).Volumes.length === 1);
		await v.remove();
		await fails(docker.getVolume('node-volume').inspect(), 404);
		const n = await docker.createNetwork({ Name: 'node-network' });
		const c = await docker.createContainer({ Image: IMAGE, Cmd: ['sleep', '100'], HostConfig: { NetworkMode: 'node-network' } });
		await c.start();
		assert.ok((await n.inspect()).Containers[c.id]);
		await c.remove({ force: true });
		await n.remove();
		const image = docker.getImage(IMAGE);
		await image.tag({ repo: 'node-tagged', tag: '1' });
		assert.equal((await docker.getImage('node-tagged:1').inspect()).Id, (await image.inspect()).Id);
		await docker.getImage('node-tagged:1').remove();
		assert.ok((await image.history()).length >= 1);
	},
};

// A node with nothing more to wait for ends with 0, whether the test has ended or not.
setInterval(() => {}, 1000);
tests[process.argv[2]]().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
