package demo

import "fmt"

// The estate. Everything is dated from the instant it is asked for: days(120,
// 365) is a certificate that began 120 days ago and lives for 365.

const (
	subscriptionID   = "a55e5500-0000-4000-8000-000000000001"
	subscriptionName = "akscert demo"
	secondID         = "a55e5500-0000-4000-8000-000000000005"
	secondName       = "akscert demo, the other" // every second cluster of a fleet
	tenantID         = "a55e5500-0000-4000-8000-000000000002"
	clientID         = "a55e5500-0000-4000-8000-000000000003"
	denyAssignmentID = "a55e5500-0000-4000-8000-000000000004"
)

// As AKS has it: a CA for 30 years, two for clusters made before May 2019; two
// years for what it signs; and a year for a kubelet's own.
const (
	thirtyYears = 30 * 365
	twoYears    = 2 * 365
	oneYear     = 365
	selfSigned  = 7300 // kubeletserver.crt
	ubuntu      = "AKSUbuntu-2204gen2containerd-"
	windows     = "AKSWindows-2022-containerd-20348.3207."
	linuxPool   = "system"
	kubernetes  = "1.33.5"
	legacyAge   = 2*365 + 40 // days since the legacy cluster was made
)

func estate() []cluster {
	well := node{client: days(120, oneYear), server: days(120, oneYear), copy: days(120, twoYears)}
	return []cluster{
		{
			name: "healthy", group: "shop", env: "prod", location: "westeurope", kubernetes: kubernetes, age: 400,
			what: "three nodes that renew their own certificates: nothing to do",
			ca:   days(400, thirtyYears), apiserver: days(120, twoYears), client: days(120, twoYears),
			pools: []pool{
				{name: linuxPool, kind: scaleSet, image: ubuntu + "202509.11.0", nodes: []node{
					{client: days(40, oneYear), server: days(40, oneYear), copy: days(400, twoYears)},
					{client: days(180, oneYear), server: days(180, oneYear), copy: days(400, twoYears)},
					{client: days(303, oneYear), server: days(120, oneYear), copy: days(100, twoYears)}, // 83 %: about to
				}},
			},
		},
		{
			name: "legacy", group: "billing", env: "prod", location: "northeurope", kubernetes: "1.13.5", age: legacyAge, noSystemData: true, noRBAC: true,
			what: "made the way AKS did before May 2019, never rotated: availability set, no RBAC, static client certificates, a two-year CA",
			ca:   days(legacyAge-60, twoYears), apiserver: days(legacyAge-60, twoYears), client: days(legacyAge, twoYears),
			pools: []pool{
				{name: "agentpool", kind: availabilitySet, image: "AKSUbuntu-1604-2019.04.24", nodes: []node{
					{boot: staticClient, client: days(legacyAge-50, twoYears), copy: days(legacyAge, twoYears)},
					{boot: staticClient, client: days(legacyAge, twoYears), copy: days(legacyAge, twoYears)},
				}},
			},
		},
		{
			name: "overdue", group: "billing", env: "prod", location: "northeurope", kubernetes: "1.29.4", age: 900,
			what: "rotation is on, but one kubelet is past 90 % of its certificate's life: it does not work there",
			ca:   days(900, thirtyYears), apiserver: days(300, twoYears), client: days(620, twoYears),
			pools: []pool{
				{name: linuxPool, kind: scaleSet, image: ubuntu + "202405.27.0", nodes: []node{
					well,
					{client: days(338, oneYear), copy: days(900, twoYears)}, // 92.6 %, and an expired copy, which is no harm
				}},
			},
		},
		{
			name: "rotating", group: "shop", env: "prod", location: "westeurope", kubernetes: "1.32.7", age: 500, provisioning: "RotatingClusterCertificates",
			what: "in the middle of a rotation: the nodes trust the old CA and the new one",
			ca:   days(500, thirtyYears), apiserver: days(90, twoYears), client: days(90, twoYears),
			pools: []pool{
				{name: linuxPool, kind: scaleSet, image: ubuntu + "202507.06.0", nodes: alike(2, node{
					client: days(90, oneYear), server: days(90, oneYear), copy: days(90, twoYears), twoCAs: true})},
			},
		},
		{
			name: "mixed", group: "media", env: "dev", location: "swedencentral", kubernetes: kubernetes, age: 300,
			what: "a VirtualMachines pool, a Windows pool, a stopped pool, secure TLS bootstrapping, and a node from auto-provisioning",
			ca:   days(300, thirtyYears), apiserver: days(60, twoYears), client: days(60, twoYears),
			pools: []pool{
				{name: "vms", kind: virtualMachines, image: ubuntu + "202509.11.0", nodes: alike(2, well)},
				{name: "win22", kind: scaleSet, os: "Windows", image: windows + "250910", nodes: []node{well}},
				{name: "secure", kind: scaleSet, image: ubuntu + "202509.11.0", nodes: []node{
					{boot: secureBootstrap, client: days(100, oneYear), server: days(100, oneYear)}}},
				{name: "night", kind: scaleSet, power: stopped, image: ubuntu + "202509.11.0", nodes: []node{well}},
				{name: "default", kind: standalone, image: ubuntu + "202509.11.0", nodes: []node{
					{boot: secureBootstrap, client: days(12, oneYear), server: days(12, oneYear)}}},
			},
		},
		{
			name: "entra", group: "media", env: "prod", location: "swedencentral", kubernetes: kubernetes, age: 200, entra: true, noLocal: true,
			what: "Entra ID only: its kubeconfig holds no certificate, and local accounts are off",
			ca:   days(200, thirtyYears), apiserver: days(200, twoYears),
			pools: []pool{{name: linuxPool, kind: scaleSet, image: ubuntu + "202508.20.1", nodes: []node{well}}},
		},
		{
			name: "locked-down", group: "vault", env: "prod", location: "germanywestcentral", kubernetes: kubernetes, age: 100, lockedDown: true,
			what: "AKS Automatic style: its node resource group refuses run-command, but its kubelets answer",
			ca:   days(100, thirtyYears), apiserver: days(100, twoYears), client: days(100, twoYears),
			pools: []pool{{name: linuxPool, kind: scaleSet, image: ubuntu + "202509.11.0", nodes: []node{
				{client: days(100, oneYear), server: days(100, oneYear), fault: lockedDown()},
				{client: days(100, oneYear), server: days(100, oneYear), fault: lockedDown()},
			}}},
		},
		{
			name: "stopped", group: "lab", env: "test", location: "westus", kubernetes: "1.28.9", age: 700, power: stopped,
			what: "stopped: what renews itself does not do so now",
			ca:   days(700, thirtyYears), apiserver: days(700, twoYears), client: days(700, twoYears),
			pools: []pool{{name: linuxPool, kind: scaleSet, image: ubuntu + "202401.09.0", nodes: alike(2, well)}},
		},
		faulty(well),
		stuck(well),
	}
}

// fleet is n healthy clusters of a few nodes each, half of them in the second
// subscription.
func fleet(n, nodes int) []cluster {
	if nodes == 0 {
		nodes = 3
	}
	clusters := make([]cluster, 0, n)
	for i := range n {
		age := 60 + i%120
		c := cluster{
			name: fmt.Sprintf("fleet-%04d", i+1), group: "fleet", env: "prod", location: "westeurope", kubernetes: kubernetes, age: 200,
			what: fmt.Sprintf("one of %d, healthy", n),
			ca:   days(200, thirtyYears), apiserver: days(age, twoYears), client: days(age, twoYears),
			pools: []pool{{name: linuxPool, kind: scaleSet, image: ubuntu + "202509.11.0", nodes: alike(nodes,
				node{client: days(age, oneYear), server: days(age, oneYear), copy: days(age, twoYears)})}},
		}
		if i%2 == 1 {
			c.subscription = secondID
		}
		clusters = append(clusters, c)
	}
	return clusters
}

// faulty fails in every way that a run of run-command can fail by itself. All
// its kubelets answer, but those of the nodes that are forbidden, off, or gone.
func faulty(well node) cluster {
	return cluster{
		name: "faulty", group: "lab", env: "test", location: "westus", kubernetes: "1.32.7", age: 300,
		what: "each node fails in its own way: forbidden, off, busy, throttled, agent not ready, truncated, not run, gone, empty",
		ca:   days(300, thirtyYears), apiserver: days(60, twoYears), client: days(60, twoYears),
		pools: []pool{{name: linuxPool, kind: scaleSet, image: ubuntu + "202507.06.0", nodes: failing(well,
			fault{}, forbidden(), notRunning(), busyTwice(), busyBare(), throttledOnce(), extensionFailed(), agentNotReady(),
			truncated(), notFinished(), sampleAnswer(), gone(), emptyResult(), neverThere())}},
	}
}

// stuck has the failures that only a deadline ends, so that the others need not
// wait for them.
func stuck(well node) cluster {
	return cluster{
		name: "stuck", group: "lab", env: "test", location: "westus", kubernetes: "1.32.7", age: 300, stuck: true,
		what: "one node's script never ends, nor do its kubelet's metrics, another is busy for ever: only a deadline ends an audit of it",
		ca:   days(300, thirtyYears), apiserver: days(60, twoYears), client: days(60, twoYears),
		pools: []pool{{name: linuxPool, kind: scaleSet, image: ubuntu + "202507.06.0", nodes: failing(well,
			fault{}, hang(), busyForEver())}},
	}
}

func failing(well node, faults ...fault) []node {
	nodes := make([]node, 0, len(faults))
	for _, f := range faults {
		n := well
		n.fault = f
		nodes = append(nodes, n)
	}
	return nodes
}

// many is a healthy cluster of n nodes, to see what throttling does.
func many(n int) cluster {
	return cluster{
		name: "many", group: "shop", env: "prod", location: "westeurope", kubernetes: kubernetes, age: 200,
		what: fmt.Sprintf("%d healthy nodes in one scale set", n),
		ca:   days(200, thirtyYears), apiserver: days(60, twoYears), client: days(60, twoYears),
		pools: []pool{{name: "work", kind: scaleSet, image: ubuntu + "202509.11.0", nodes: alike(n,
			node{client: days(120, oneYear), server: days(120, oneYear), copy: days(60, twoYears)})}},
	}
}
