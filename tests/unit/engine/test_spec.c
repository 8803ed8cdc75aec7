/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "engine/cdi.h"
#include "engine/prune.h"
#include "engine/spec.h"

static const struct {
        const char *body;
        enum err_kind kind; /* ERR_NONE: it is taken */
        const char *says;
} rows[] = {
        { "{'Image':'a','Cmd':['x']}", ERR_NONE, "" },
        { "[]", ERR_INVALID, "config cannot be empty" },
        { "{'HostConfig':3}", ERR_INVALID, "HostConfig" },
        { "{'Nobody':{'Knows':'this'}}", ERR_NONE, "" },
        { "{'Cmd':'echo'}", ERR_NONE, "" },
        { "{'Cmd':[1]}", ERR_INVALID, "Cmd: an array of strings" },
        { "{'Tty':'yes'}", ERR_INVALID, "Tty: true or false" },
        { "{'Hostname':'a b'}", ERR_INVALID, "hostname" },
        { "{'Hostname':'a\\n1.2.3.4 b'}", ERR_INVALID, "hostname" },
        { "{'WorkingDir':'tmp'}", ERR_INVALID, "absolute" },
        { "{'Env':['=x']}", ERR_INVALID, "environment" },
        { "{'Env':['A\\u0000B=1']}", ERR_INVALID, "Env" },
        { "{'Labels':{'a':1}}", ERR_INVALID, "Labels" },
        { "{'Healthcheck':{'Test':['NONE']}}", ERR_NONE, "" },
        { "{'Healthcheck':{'Test':['CMD','true'],'Interval':1000000000,'Retries':2}}", ERR_NONE, "" },
        { "{'Healthcheck':{'Test':['CMD']}}", ERR_INVALID, "CMD needs a command" },
        { "{'Healthcheck':{'Test':['SHELL','true']}}", ERR_INVALID, "Unknown healthcheck type 'SHELL'" },
        { "{'Healthcheck':{'Test':[1]}}", ERR_INVALID, "Healthcheck.Test" },
        { "{'Healthcheck':{'Interval':5}}", ERR_INVALID, "Interval in Healthcheck cannot be less than 1ms" },
        { "{'Healthcheck':{'Retries':-1}}", ERR_INVALID, "Retries" },
        { "{'HostConfig':{'Memory':5000000}}", ERR_INVALID, "Minimum memory limit allowed is 6MB" },
        { "{'HostConfig':{'Memory':6291456}}", ERR_NONE, "" },
        { "{'HostConfig':{'Memory':-1}}", ERR_INVALID, "Memory" },
        { "{'HostConfig':{'Memory':1.5}}", ERR_INVALID, "a whole number" },
        { "{'HostConfig':{'MemorySwap':10000000}}", ERR_INVALID, "Memoryswap" },
        { "{'HostConfig':{'Memory':20000000,'MemorySwap':10000000}}", ERR_INVALID, "memoryswap" },
        { "{'HostConfig':{'NanoCpus':500000000,'CpuQuota':5000}}", ERR_INVALID, "Nano CPUs" },
        { "{'HostConfig':{'CpuPeriod':999}}", ERR_INVALID, "period" },
        { "{'HostConfig':{'MemorySwappiness':-1}}", ERR_NONE, "" },
        { "{'HostConfig':{'MemorySwappiness':10}}", ERR_NONE, "" },
        { "{'HostConfig':{'MemorySwappiness':101}}", ERR_INVALID, "MemorySwappiness: 101 is out of range" },
        { "{'HostConfig':{'KernelMemory':10000000}}", ERR_UNSUPPORTED, "KernelMemory: kernels have no such limit" },
        { "{'HostConfig':{'OomKillDisable':true}}", ERR_NONE, "" },
        { "{'HostConfig':{'OomKillDisable':true,'Memory':100000000}}", ERR_NONE, "" },
        { "{'HostConfig':{'BlkioWeight':9}}", ERR_INVALID, "Range of blkio weight" },
        { "{'HostConfig':{'BlkioDeviceReadBps':[{'Path':'/dev/vda','Rate':1}]}}", ERR_NONE, "" },
        { "{'HostConfig':{'BlkioDeviceReadBps':[{'Path':'vda','Rate':1}]}}", ERR_INVALID, "BlkioDeviceReadBps: 'vda' is not an absolute path" },
        { "{'HostConfig':{'BlkioDeviceWriteIOps':[{'Path':'/dev/vda','Rate':0}]}}", ERR_INVALID, "Rate of /dev/vda is out of range" },
        { "{'HostConfig':{'BlkioWeightDevice':[{'Path':'/dev/vda','Weight':5}]}}", ERR_INVALID, "Weight of /dev/vda is out of range" },
        { "{'HostConfig':{'BlkioWeightDevice':[7]}}", ERR_INVALID, "BlkioWeightDevice" },
        { "{'HostConfig':{'CpuRealtimePeriod':1000,'CpuRealtimeRuntime':2000}}", ERR_INVALID, "real-time runtime" },
        { "{'HostConfig':{'CgroupParent':'/a/b.slice/'}}", ERR_NONE, "" },
        { "{'HostConfig':{'CgroupParent':'a/../../b'}}", ERR_INVALID, "not a path of cgroups" },
        { "{'HostConfig':{'CgroupParent':'//'}}", ERR_INVALID, "not a path of cgroups" },
        { "{'HostConfig':{'CgroupParent':'a b'}}", ERR_INVALID, "not a path of cgroups" },
        { "{'HostConfig':{'Annotations':{'a.b/c':'d'}}}", ERR_NONE, "" },
        { "{'HostConfig':{'Annotations':{'a':1}}}", ERR_INVALID, "Annotations: a value is not a string" },
        { "{'HostConfig':{'Annotations':{'':'x'}}}", ERR_INVALID, "Annotations: a name is empty" },
        { "{'HostConfig':{'TimeOffsets':{'boottime':86400000000000,'monotonic':-1}}}", ERR_NONE, "" },
        { "{'HostConfig':{'TimeOffsets':{'realtime':1}}}", ERR_INVALID, "\"realtime\" is not a clock" },
        { "{'HostConfig':{'Personality':'LINUX32'}}", ERR_NONE, "" },
        { "{'HostConfig':{'Personality':'SVR4'}}", ERR_INVALID, "Personality" },
        { "{'HostConfig':{'StorageOpt':{'size':'1G'}}}", ERR_NONE, "" },
        { "{'HostConfig':{'StorageOpt':{'size':'0'}}}", ERR_NONE, "" },
        { "{'HostConfig':{'StorageOpt':{'size':'1k'}}}", ERR_INVALID, "StorageOpt: size" },
        { "{'HostConfig':{'StorageOpt':{'size':7}}}", ERR_INVALID, "StorageOpt: size" },
        { "{'HostConfig':{'StorageOpt':{'colour':'red'}}}", ERR_INVALID, "StorageOpt: unknown option" },
        { "{'HostConfig':{'Isolation':'hyperv'}}", ERR_UNSUPPORTED, "Isolation: is for Windows" },
        { "{'HostConfig':{'Isolation':'default'}}", ERR_NONE, "" },
        { "{'Umask':'0027'}", ERR_NONE, "" },
        { "{'Umask':'8'}", ERR_INVALID, "Umask" },
        { "{'Umask':'7777'}", ERR_INVALID, "Umask" },
        { "{'Timezone':'Europe/Oslo'}", ERR_NONE, "" },
        { "{'Timezone':'../../etc/shadow'}", ERR_INVALID, "Timezone" },
        { "{'UnsetEnv':['A=b']}", ERR_INVALID, "UnsetEnv" },
        { "{'HealthcheckOnFailureAction':'kill'}", ERR_INVALID, "needs a health check" },
        { "{'HealthcheckOnFailureAction':'explode','Healthcheck':{'Test':['CMD','x']}}", ERR_INVALID, "explode" },
        { "{'HostConfig':{'Devices':[]}}", ERR_NONE, "" },
        { "{'HostConfig':{'Devices':[{'PathOnHost':'/dev/kvm','CgroupPermissions':'rm'}]}}", ERR_NONE, "" },
        { "{'HostConfig':{'Devices':[{'PathOnHost':'dev/kvm'}]}}", ERR_INVALID, "'dev/kvm' is not an absolute path" },
        { "{'HostConfig':{'Devices':[{'PathOnHost':'/dev/kvm','PathInContainer':'/dev/../x'}]}}", ERR_INVALID, "not an absolute path" },
        { "{'HostConfig':{'Devices':[{'PathOnHost':'/dev/kvm','CgroupPermissions':'x'}]}}", ERR_INVALID, "invalid permissions" },
        { "{'HostConfig':{'DeviceCgroupRules':['c 1:* rwm','a *:* r','b 8:0 w']}}", ERR_NONE, "" },
        { "{'HostConfig':{'DeviceCgroupRules':['c 1 rwm']}}", ERR_INVALID, "invalid device cgroup rule format: 'c 1 rwm'" },
        { "{'HostConfig':{'DeviceCgroupRules':['c 1:3 x']}}", ERR_INVALID, "device cgroup rule" },
        { "{'HostConfig':{'Init':true}}", ERR_NONE, "" },
        { "{'HostConfig':{'Init':false}}", ERR_NONE, "" },
        { "{'HostConfig':{'PortBindings':{'80/tcp':[],'81':null,'53/udp':[{'HostIp':'127.0.0.1','HostPort':'8000-8010'}]},'PublishAllPorts':true}}", ERR_NONE, "" },
        { "{'HostConfig':{'PortBindings':{'80/icmp':[]}}}", ERR_INVALID, "invalid port specification" },
        { "{'HostConfig':{'PortBindings':{'0/tcp':[]}}}", ERR_INVALID, "invalid port specification" },
        { "{'HostConfig':{'PortBindings':{'80/tcp':{}}}}", ERR_INVALID, "an array" },
        { "{'HostConfig':{'PortBindings':{'80/tcp':[{'HostPort':'65536'}]}}}", ERR_INVALID, "65536" },
        { "{'HostConfig':{'PortBindings':{'80/tcp':[{'HostPort':'9-8'}]}}}", ERR_INVALID, "9-8" },
        { "{'HostConfig':{'PortBindings':{'80/tcp':[{'HostIp':'1.2.3'}]}}}", ERR_INVALID, "1.2.3" },
        { "{'HostConfig':{'PortBindings':{'80/tcp':[{'HostIp':'::1'},{'HostIp':'fd00::1'}]}}}", ERR_NONE, "" },
        { "{'HostConfig':{'PortBindings':{'80/tcp':[{'HostIp':'fd00::g'}]}}}", ERR_INVALID, "fd00::g" },
        { "{'HostConfig':{'NetworkMode':'container:x','PortBindings':{'80/tcp':[]}}}", ERR_INVALID, "port publishing" },
        { "{'HostConfig':{'NetworkMode':'../mine'}}", ERR_INVALID, "invalid network name" },
        { "{'HostConfig':{'NetworkMode':'container:a'}}", ERR_NONE, "" },
        { "{'HostConfig':{'NetworkMode':'container:a','Dns':['1.2.3.4']}}", ERR_INVALID, "conflicting options: dns" },
        { "{'HostConfig':{'NetworkMode':'container:a','ExtraHosts':['a:1.2.3.4']}}", ERR_INVALID, "conflicting options: custom host" },
        { "{'HostConfig':{'NetworkMode':'container:a','Sysctls':{'net.core.somaxconn':'1'}}}", ERR_INVALID, "network namespace of another" },
        { "{'HostConfig':{'PidMode':'container:a'}}", ERR_NONE, "" },
        { "{'HostConfig':{'PidMode':'container:'}}", ERR_INVALID, "PidMode" },
        { "{'HostConfig':{'IpcMode':'container:a'}}", ERR_NONE, "" },
        { "{'HostConfig':{'IpcMode':'container:'}}", ERR_INVALID, "IpcMode" },
        { "{'HostConfig':{'Links':['a','a:b','/a:/c/b']}}", ERR_NONE, "" },
        { "{'HostConfig':{'Links':['']}}", ERR_INVALID, "empty string specified for links" },
        { "{'HostConfig':{'Links':['a:b:c']}}", ERR_INVALID, "bad format for links: a:b:c" },
        { "{'HostConfig':{'Links':[':b']}}", ERR_INVALID, "bad format for links: :b" },
        { "{'HostConfig':{'Links':['a:x\\ny']}}", ERR_INVALID, "bad format for links" },
        { "{'HostConfig':{'Links':['a'],'NetworkMode':'host'}}", ERR_INVALID, "host type networking" },
        { "{'HostConfig':{'IpcMode':'container:a','Sysctls':{'kernel.shmmax':'1'}}}", ERR_INVALID, "IPC namespace of another" },
        { "{'HostConfig':{'UTSMode':'container:a'}}", ERR_INVALID, "UTSMode" },
        { "{'HostConfig':{'PidMode':'odd'}}", ERR_INVALID, "PidMode" },
        { "{'HostConfig':{'UsernsMode':'private','NetworkMode':'host'}}", ERR_INVALID, "UsernsMode" },
        { "{'HostConfig':{'UTSMode':'host'},'Hostname':'a'}", ERR_INVALID, "UTS" },
        { "{'HostConfig':{'SecurityOpt':['apparmor=mine']}}", ERR_UNSUPPORTED, "AppArmor" },
        { "{'HostConfig':{'SecurityOpt':['apparmor=unconfined','label=disable','no-new-privileges']}}", ERR_NONE, "" },
        { "{'HostConfig':{'SecurityOpt':['writable-cgroups=false']}}", ERR_NONE, "" },
        { "{'HostConfig':{'SecurityOpt':['writable-cgroups=true'],'Privileged':true}}", ERR_NONE, "" },
        { "{'HostConfig':{'SecurityOpt':['writable-cgroups=true']}}", ERR_UNSUPPORTED, "only a privileged container's cgroups" },
        { "{'HostConfig':{'SecurityOpt':['writable-cgroups=maybe']}}", ERR_INVALID, "writable-cgroups=maybe" },
        { "{'HostConfig':{'SecurityOpt':['seccomp={nonsense']}}", ERR_INVALID, "seccomp" },
        { "{'HostConfig':{'SecurityOpt':['what=ever']}}", ERR_INVALID, "what=ever" },
        { "{'HostConfig':{'RestartPolicy':{'Name':'sometimes'}}}", ERR_INVALID, "sometimes" },
        { "{'HostConfig':{'RestartPolicy':{'Name':'always','MaximumRetryCount':3}}}", ERR_INVALID, "on-failure" },
        { "{'HostConfig':{'RestartPolicy':{'Name':'always'},'AutoRemove':true}}", ERR_INVALID, "AutoRemove" },
        { "{'HostConfig':{'LogConfig':{'Type':'syslog'}}}", ERR_NONE, "" },
        { "{'HostConfig':{'LogConfig':{'Type':'splunk'}}}", ERR_INVALID, "splunk" },
        { "{'HostConfig':{'LogConfig':{'Type':'syslog','Config':{'syslog-address':'tcp://[::1]:601','syslog-facility':'local3','syslog-format':'rfc5424','tag':'{{.Name}}/{{ .ID }}'}}}}", ERR_NONE, "" },
        { "{'HostConfig':{'LogConfig':{'Type':'syslog','Config':{'syslog-address':'ftp://x'}}}}", ERR_INVALID, "syslog-address" },
        { "{'HostConfig':{'LogConfig':{'Type':'syslog','Config':{'syslog-address':'tcp://x:70000'}}}}", ERR_INVALID, "syslog-address" },
        { "{'HostConfig':{'LogConfig':{'Type':'syslog','Config':{'syslog-facility':'nobody'}}}}", ERR_INVALID, "syslog-facility" },
        { "{'HostConfig':{'LogConfig':{'Type':'syslog','Config':{'tag':'a\\nb'}}}}", ERR_INVALID, "tag" },
        { "{'HostConfig':{'LogConfig':{'Type':'journald','Config':{'tag':'{{.Nonsense}}'}}}}", ERR_INVALID, "tag" },
        { "{'HostConfig':{'LogConfig':{'Type':'journald','Config':{'max-size':'1m'}}}}", ERR_INVALID, "max-size" },
        { "{'HostConfig':{'LogConfig':{'Type':'local','Config':{'compress':'true'}}}}", ERR_UNSUPPORTED, "compress" },
        { "{'HostConfig':{'LogConfig':{'Type':'json-file','Config':{'labels-regex':'('}}}}", ERR_INVALID, "labels-regex" },
        { "{'HostConfig':{'LogConfig':{'Type':'','Config':{'max-size':'10m','max-file':'3'}}}}", ERR_NONE, "" },
        { "{'HostConfig':{'LogConfig':{'Type':'json-file','Config':{'max-size':'huge'}}}}", ERR_INVALID, "max-size" },
        { "{'HostConfig':{'LogConfig':{'Type':'json-file','Config':{'colour':'red'}}}}", ERR_INVALID, "colour" },
        { "{'HostConfig':{'Dns':['1.2.3.4\\nx']}}", ERR_INVALID, "Dns" },
        { "{'HostConfig':{'DnsSearch':['a b']}}", ERR_INVALID, "DnsSearch" },
        { "{'HostConfig':{'ExtraHosts':['a:1.2.3.4','b:::1','c:host-gateway']}}", ERR_NONE, "" },
        { "{'HostConfig':{'ExtraHosts':['a\\nb:1.2.3.4']}}", ERR_INVALID, "add-host" },
        { "{'HostConfig':{'ExtraHosts':['a:nowhere']}}", ERR_INVALID, "add-host" },
        { "{'HostConfig':{'Ulimits':[{'Name':'nofile','Soft':5,'Hard':4}]}}", ERR_INVALID, "nofile" },
        { "{'HostConfig':{'Ulimits':[{'Name':'nosuchlimit','Soft':5,'Hard':5}]}}", ERR_INVALID, "invalid ulimit type: nosuchlimit" },
        { "{'HostConfig':{'Sysctls':{'net.core.somaxconn':'1'},'NetworkMode':'host'}}", ERR_INVALID, "host network" },
        { "{'HostConfig':{'Binds':['/a:/b:ro','/c:/d']}}", ERR_NONE, "" },
        { "{'HostConfig':{'Binds':['/a:/b','/c:/b/']}}", ERR_INVALID, "Duplicate" },
        { "{'HostConfig':{'Binds':['/a:/../b']}}", ERR_INVALID, "invalid mount path" },
        { "{'HostConfig':{'Binds':['/a:/']}}", ERR_INVALID, "invalid mount path" },
        { "{'HostConfig':{'Binds':['/a:b']}}", ERR_INVALID, "invalid mount path" },
        { "{'HostConfig':{'Binds':['/a:/b:rox']}}", ERR_INVALID, "rox" },
        { "{'HostConfig':{'Binds':['name:/b','/c','other:/d:ro,nocopy']}}", ERR_NONE, "" },
        { "{'HostConfig':{'Binds':['a/b:/b']}}", ERR_INVALID, "includes invalid characters for a local volume name" },
        { "{'HostConfig':{'Binds':['..:/b']}}", ERR_INVALID, "invalid characters" },
        { "{'HostConfig':{'Binds':['/a:/b:nocopy']}}", ERR_INVALID, "nocopy" },
        { "{'Volumes':{'/b':{}},'HostConfig':{'Binds':['/a:/b']}}", ERR_NONE, "" },
        { "{'Volumes':{'b':{}}}", ERR_INVALID, "invalid mount path" },
        { "{'HostConfig':{'Mounts':[{'Type':'volume','Target':'/x'}]}}", ERR_NONE, "" },
        { "{'HostConfig':{'Mounts':[{'Type':'volume','Target':'/x','Source':'../x'}]}}", ERR_INVALID, "invalid characters" },
        { "{'HostConfig':{'Mounts':[{'Type':'volume','Target':'/x','VolumeOptions':{'DriverConfig':{'Name':'nfs'}}}]}}", ERR_UNSUPPORTED, "only the driver local" },
        { "{'HostConfig':{'Mounts':[{'Type':'volume','Target':'/x','VolumeOptions':{'DriverConfig':{'Options':{'type':'tmpfs','device':'tmpfs'}}}}]}}", ERR_NONE, "" },
        { "{'HostConfig':{'Mounts':[{'Type':'volume','Target':'/x','VolumeOptions':{'DriverConfig':{'Options':{'type':'tmpfs'}}}}]}}", ERR_INVALID, "missing device" },
        { "{'HostConfig':{'Mounts':[{'Type':'volume','Target':'/x','VolumeOptions':{'DriverConfig':{'Options':{'odd':'1'}}}}]}}", ERR_INVALID, "invalid option: \"odd\"" },
        { "{'HostConfig':{'Mounts':[{'Type':'volume','Target':'/x','VolumeOptions':{'DriverConfig':{'Options':{'device':'a','o':'bind'}}}}]}}", ERR_INVALID, "not an absolute path" },
        { "{'HostConfig':{'Mounts':[{'Type':'volume','Target':'/x','VolumeOptions':{'DriverConfig':{'Options':{'device':'a','type':'../x'}}}}]}}", ERR_INVALID, "no file system" },
        { "{'HostConfig':{'Mounts':[{'Type':'volume','Target':'/x','VolumeOptions':{'Subpath':'a/./b'}}]}}", ERR_NONE, "" },
        { "{'HostConfig':{'Mounts':[{'Type':'volume','Target':'/x','VolumeOptions':{'Subpath':'a/../../b'}}]}}", ERR_INVALID, "must be a relative path within the volume" },
        { "{'HostConfig':{'Mounts':[{'Type':'volume','Target':'/x','VolumeOptions':{'Subpath':'/a'}}]}}", ERR_INVALID, "must be a relative path" },
        { "{'HostConfig':{'Mounts':[{'Type':'image','Target':'/x','Source':'busybox','ImageOptions':{'Subpath':'etc'}}]}}", ERR_NONE, "" },
        { "{'HostConfig':{'Mounts':[{'Type':'image','Target':'/x'}]}}", ERR_INVALID, "Source must not be empty" },
        { "{'HostConfig':{'Mounts':[{'Type':'cluster','Target':'/x'}]}}", ERR_UNSUPPORTED, "needs a swarm" },
        { "{'HostConfig':{'Mounts':[{'Type':'bind','Source':'/a','Target':'/x','BindOptions':{'ReadOnlyNonRecursive':true}}]}}", ERR_INVALID, "mount options conflict: !ReadOnly" },
        { "{'HostConfig':{'Mounts':[{'Type':'bind','Source':'/a','Target':'/x','ReadOnly':true,'BindOptions':{'ReadOnlyForceRecursive':true,'Propagation':'rslave'}}]}}", ERR_INVALID,
          "Propagation != rprivate" },
        { "{'HostConfig':{'Mounts':[{'Type':'tmpfs','Target':'/x','TmpfsOptions':{'Options':[['exec'],['nr_inodes','5']]}}]}}", ERR_NONE, "" },
        { "{'HostConfig':{'Mounts':[{'Type':'tmpfs','Target':'/x','TmpfsOptions':{'Options':[['a,b']]}}]}}", ERR_INVALID, "TmpfsOptions.Options" },
        { "{'HostConfig':{'Binds':['/a:/b:idmap=uids=0-1-10#20-30-5;gids=0-0-1']}}", ERR_NONE, "" },
        { "{'HostConfig':{'Binds':['/a:/b:idmap=uids=0-1-10']}}", ERR_INVALID, "invalid mode: idmap" },
        { "{'HostConfig':{'Binds':['/a:/b:idmap=uids=0-65530-10;gids=0-0-1']}}", ERR_INVALID, "invalid mode: idmap" },
        { "{'HostConfig':{'Mounts':[{'Type':'bind','Source':'rel','Target':'/x'}]}}", ERR_INVALID, "absolute" },
        { "{'HostConfig':{'Tmpfs':{'/t':'size=1m'}}}", ERR_NONE, "" },
        { "{'NetworkingConfig':{'EndpointsConfig':{'default':{}}}}", ERR_NONE, "" },
        { "{'NetworkingConfig':{'EndpointsConfig':{'mine':{'Aliases':['x'],'IPAMConfig':{'IPv4Address':'10.1.2.3'},'GwPriority':-1,'IPAddress':'10.9.9.9'},'bridge':{}}}}", ERR_NONE, "" },
        { "{'NetworkingConfig':{'EndpointsConfig':{'bridge':{'Aliases':['x']}}}}", ERR_INVALID, "network-scoped aliases" },
        { "{'NetworkingConfig':{'EndpointsConfig':{'bridge':{'IPAMConfig':{'IPv4Address':'10.1.2.3'}}}}}", ERR_INVALID, "user defined networks only" },
        { "{'NetworkingConfig':{'EndpointsConfig':{'mine':{'Aliases':['x y']}}}}", ERR_INVALID, "not a host name" },
        { "{'NetworkingConfig':{'EndpointsConfig':{'mine':{'Aliases':'x'}}}}", ERR_INVALID, "an array" },
        { "{'NetworkingConfig':{'EndpointsConfig':{'mine':{'Links':['x']}}}}", ERR_UNSUPPORTED, "Links" },
        { "{'NetworkingConfig':{'EndpointsConfig':{'mine':{'IPAMConfig':{'IPv6Address':'fd00::1'}}}}}", ERR_NONE, "" },
        { "{'NetworkingConfig':{'EndpointsConfig':{'mine':{'IPAMConfig':{'IPv4Address':'10.1.2'}}}}}", ERR_INVALID, "invalid IPv4 address: 10.1.2" },
        { "{'NetworkingConfig':{'EndpointsConfig':{'mine':{'MacAddress':'01:00:00:00:00:01'}}}}", ERR_INVALID, "invalid MAC address" },
        { "{'NetworkingConfig':{'EndpointsConfig':{'mine':{'DriverOpts':{'x':'y'}}}}}", ERR_UNSUPPORTED, "driver option" },
        { "{'NetworkingConfig':{'EndpointsConfig':{'mine':{'DriverOpts':{'com.docker.network.endpoint.ifname':'../x'}}}}}", ERR_INVALID, "ifname" },
        { "{'NetworkingConfig':{'EndpointsConfig':{'a1':{},'a2':{},'a3':{},'a4':{},'a5':{},'a6':{},'a7':{},'a8':{},'a9':{}}}}", ERR_INVALID, "at most 8" },
        { "{'HostConfig':{'NetworkMode':'host'},'NetworkingConfig':{'EndpointsConfig':{'mine':{}}}}", ERR_INVALID, "cannot be connected to network mine" },
};

static void names_of_devices_have_cdis_grammar(void **state) {
        static const char *const good[] = { "vendor.com/class=name", "a/b=0", "v_1-x.y/c_2-d=GPU-1:2.3", "nvidia.com/gpu=all" };
        static const char *const bad[] = { "", "/dev/null", "vendor/class", "vendor=name", "1a/b=c", "a-/b=c", "a/=c", "a/b=", "a/b.c=d", "a/b=c/d", "a/b=-c", "a/b=c ", "a b/c=d", "a/b/c=d" };

        (void) state;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                if (!cdi_is_name(good[i]))
                        fail_msg("%s", good[i]);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                if (cdi_is_name(bad[i]))
                        fail_msg("%s", bad[i]);
}

static void every_row_is_taken_or_refused_with_its_words(void **state) {
        (void) state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_json *body = js(rows[i].body);
                struct err err = {};
                auto_spec s = {};
                int r = spec_parse(body, &s, &err);

                if ((r == 0) != (rows[i].kind == ERR_NONE) || err.kind != rows[i].kind || !strstr(err.msg, rows[i].says))
                        fail_msg("%s: %s: %s", rows[i].body, err_kind_name(err.kind), err.msg);
        }
}

static void host_modes_share_the_hosts_ids(void **state) {
        static const char *const bodies[] = {
                "{'HostConfig':{'Privileged':true}}", "{'HostConfig':{'NetworkMode':'host'}}", "{'HostConfig':{'PidMode':'host'}}",
                "{'HostConfig':{'IpcMode':'host'}}",  "{'HostConfig':{'UsernsMode':'host'}}",
        };

        (void) state;
        for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
                auto_json *body = js(bodies[i]);
                auto_spec s = {};

                assert_int_equal(spec_parse(body, &s, NULL), 0);
                assert_true(s.host_userns);
        }
        auto_json *plain = js("{'HostConfig':{'UTSMode':'host'}}");
        auto_spec s = {};

        assert_int_equal(spec_parse(plain, &s, NULL), 0);
        assert_false(s.host_userns);
}

static void mounts_come_outermost_first(void **state) {
        auto_json *body = js("{'HostConfig':{'Binds':['/x:/a/b/c:ro','/y:/a'],'Tmpfs':{'/a/b/':''}}}");
        auto_spec s = {};

        (void) state;
        assert_int_equal(spec_parse(body, &s, NULL), 0);
        assert_int_equal(s.n_mounts, 3);
        assert_string_equal(s.mounts[0].target, "/a");
        assert_string_equal(s.mounts[1].target, "/a/b");
        assert_string_equal(s.mounts[2].target, "/a/b/c");
        assert_true(s.mounts[2].read_only);
}

static void bytes_are_read_with_their_unit(void **state) {
        uint64_t n = 0;

        (void) state;
        assert_int_equal(spec_parse_bytes("10", &n), 0);
        assert_int_equal(n, 10);
        assert_int_equal(spec_parse_bytes("10m", &n), 0);
        assert_int_equal(n, 10 << 20);
        assert_int_equal(spec_parse_bytes("1GiB", &n), 0);
        assert_int_equal(n, 1 << 30);
        assert_int_not_equal(spec_parse_bytes("99999999999t", &n), 0);
        assert_int_not_equal(spec_parse_bytes("-1", &n), 0);
        assert_int_not_equal(spec_parse_bytes("1x", &n), 0);
        assert_int_not_equal(spec_parse_bytes("", &n), 0);
}

static void processors_are_what_the_host_has(void **state) {
        static const struct {
                const char *wanted, *available, *says; /* NULL: taken */
        } lists[] = {
                { "0", "0-1\n", NULL },        { "0-1", "0-1\n", NULL },       { "1,0", "0-1\n", NULL },          { "0-2", "0-1\n", "not available - requested 0-2, available: 0-1" },
                { "7", "0-3,8\n", "not available" }, { "8,0-1", "0-3,8\n", NULL }, { "a", "0\n", "Invalid value a for cpuset cpus" },
                { "1-0", "0-1\n", "Invalid value" }, { "0,", "0-1\n", "Invalid value" },  { "0-99999999", "0-1\n", "Invalid value" }, { "-1", "0\n", "Invalid value" },
        };
        auto_json *body = js("{'HostConfig':{'NanoCpus':9000000000000}}");
        struct err err = {};
        auto_spec s = {};

        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                int r = spec_check_list(lists[i].wanted, lists[i].available, "cpus", "CPUs", &err);

                assert_int_equal(r, lists[i].says ? -EINVAL : 0);
                if (lists[i].says)
                        assert_non_null(strstr(err.msg, lists[i].says));
        }
        assert_int_equal(spec_parse(body, &s, &err), 0);
        assert_int_equal(spec_check_host(&s, &err), -EINVAL);
        assert_non_null(strstr(err.msg, "range of CPUs is from 0.01 to"));
        assert_non_null(strstr(err.msg, "CPUs available"));
}

static void until_is_a_length_of_time_or_a_point_in_it(void **state) {
        static const struct {
                const char *text;
                int64_t ns; /* now is 10 hours after 1970 */
        } lengths[] = { { "10m", 35400000000000 }, { "1h30m", 30600000000000 }, { "24h", -50400000000000 }, { "1.5s", 35998500000000 }, { "2ms", 35999998000000 },
                        { "1700000000", 1700000000000000000 }, { "1970-01-01T00:00:01Z", 1000000000 } };
        static const char *const bad[] = { "", "soon", "10q", "-5m", "5m5", "5mm", "1e400h", "h" };
        int64_t ns;

        for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
                assert_int_equal(prune_parse_until(lengths[i].text, 36000000000000, &ns), 0);
                assert_int_equal(ns, lengths[i].ns);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_true(prune_parse_until(bad[i], 36000000000000, &ns) < 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_row_is_taken_or_refused_with_its_words),
                cmocka_unit_test(names_of_devices_have_cdis_grammar),
                cmocka_unit_test(host_modes_share_the_hosts_ids),
                cmocka_unit_test(mounts_come_outermost_first),
                cmocka_unit_test(processors_are_what_the_host_has),
                cmocka_unit_test(until_is_a_length_of_time_or_a_point_in_it),
                cmocka_unit_test(bytes_are_read_with_their_unit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
