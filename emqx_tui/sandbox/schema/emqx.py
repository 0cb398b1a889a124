"""The EMQX custom resources as types: EmqxEnterprise and EmqxPlugin of apps.emqx.io/v1beta4.

Owns names, types, limits and defaults of emqx-operator's 2.2 line, and a few words on each for `kubectl explain`.
A test compares every field of EmqxEnterprise with the operator's own definition. The types of embedded Kubernetes
objects are next door; they stop where that definition stops (containers of Kubernetes 1.29).
"""

EMQX_TYPES = r"""
EmqxEnterprise                      # An EMQX Enterprise 4.4 cluster
  apiVersion string
  kind string
  metadata object
  spec EmqxEnterpriseSpec           # What the cluster should be
  status EmqxEnterpriseStatus       # What the operator last saw

EmqxEnterpriseSpec
  blueGreenUpdate BlueGreenUpdate   # How a changed template replaces the running pods
  clusterDomain string ="cluster.local"   # DNS domain of the Kubernetes cluster
  license License                   # The EMQX licence
  persistent PersistentVolumeClaimTemplate   # A volume for each node's data; cannot be changed later
  replicas int32 =3                 # Number of EMQX nodes
  serviceTemplate ServiceTemplate   # The Service in front of the cluster
  template EmqxTemplate             # The pods of the cluster; a change starts a release

BlueGreenUpdate
  evacuationStrategy EvacuationStrategy   # How clients leave a node of the old StatefulSet
  initialDelaySeconds int32         # Seconds from all new nodes being ready to the first evacuation

EvacuationStrategy
  connEvictRate int32 >=1           # Clients disconnected per second and node
  sessEvictRate int32 >=1           # Sessions moved per second and node
  waitTakeover int32 >=0            # Seconds left for clients to come back elsewhere, between both phases

License                             # One of the three
  data byte                         # Licence text, base64
  secretName string                 # A Secret that holds it
  stringData string                 # Licence text as it is

ServiceTemplate
  metadata EmbeddedMetadata
  spec ServiceSpec

EmqxTemplate
  metadata EmbeddedMetadata
  spec EmqxTemplateSpec

EmqxTemplateSpec
  affinity Affinity                 # Which nodes and neighbours the pods prefer or need
  emqxContainer EmqxContainer       # The container that runs EMQX
  ephemeralContainers [EphemeralContainer]   # Containers added to running pods
  extraContainers [Container]       # Containers beside EMQX
  imagePullSecrets [LocalObjectReference]   # Secrets for pulling images
  initContainers [Container]        # Containers that run before EMQX
  nodeName string                   # Put the pods on this node
  nodeSelector {string}             # Labels that a node must have
  podSecurityContext PodSecurityContext \
    ={"fsGroup":1000,"fsGroupChangePolicy":"Always","runAsGroup":1000,"runAsUser":1000,"supplementalGroups":[1000]}
  reloaderImage string ="emqx/emqx-operator-reloader:0.0.2"   # Image of the container that reloads plugins
  serviceAccountName string         # Account that the pods run as
  tolerations [Toleration]          # Node taints that the pods accept
  volumes [Volume]                  # Volumes that containers can mount

EmqxContainer
  args [string]                     # Arguments of the entry point
  bootstrapAPIKeys [BootstrapAPIKey]   # Keys of the management API made at first start
  command [string]                  # Entry point instead of the image's
  emqxACL [string]                  # Lines of acl.conf
  emqxConfig {string}               # Settings of emqx.conf; every value is a string
  env [EnvVar] merge(name)          # Environment
  envFrom [EnvFromSource]           # Environment out of ConfigMaps and Secrets
  image EmqxImage                   # The image of EMQX
  lifecycle Lifecycle               # Hooks after start and before stop
  livenessProbe Probe               # When to restart the container
  ports [ContainerPort]:map(containerPort,protocol) merge(containerPort)   # Ports that it listens on
  readinessProbe Probe              # When the container may serve
  resources ResourceRequirements    # CPU and memory
  securityContext SecurityContext ={"runAsGroup":1000,"runAsNonRoot":true,"runAsUser":1000}
  startupProbe Probe                # When the container has started
  stdin bool                        # Keep standard input open
  stdinOnce bool                    # Close standard input after the first attach
  terminationMessagePath string     # File with the last words of the container
  terminationMessagePolicy string   # Where the last words come from
  tty bool                          # Give it a terminal
  volumeDevices [VolumeDevice] merge(devicePath)
  volumeMounts [VolumeMount] merge(mountPath)
  workingDir string                 # Directory that it starts in

BootstrapAPIKey
  key! string /^[a-zA-Z\d_]+$/
  secret! string length(3..32)

EmqxImage                           # registry/repository:prefix-version-suffix
  prefix string                     # Tag before the version
  pullPolicy string enum(Always|Never|IfNotPresent) ="IfNotPresent"
  registry string                   # Host of the registry
  repository string                 # Name of the image
  suffix string                     # Tag after the version
  version! string                   # EMQX version, for instance 4.4.15

EmqxEnterpriseStatus
  blueGreenUpdateStatus BlueGreenUpdateStatus   # The release that is going on
  conditions [EmqxCondition]        # Newest first
  currentStatefulSetVersion string  # Revision of the StatefulSet in use
  emqxNodes [EmqxNodeStatus]        # Nodes as EMQX lists them, of both StatefulSets
  readyReplicas int32               # Running EMQX nodes of both StatefulSets
  replicas int32                    # Nodes asked for

BlueGreenUpdateStatus
  currentStatefulSet string         # The new StatefulSet (green)
  evacuationsStatus [EvacuationStatus]   # Evacuations that EMQX reports
  originStatefulSet string          # The old StatefulSet (blue)
  startedAt date-time               # When all new nodes were ready

EvacuationStatus
  connection_eviction_rate int32    # Clients disconnected per second
  connection_goal int32             # Clients to be left at the end
  node string                       # EMQX node name
  session_eviction_rate int32       # Sessions moved per second
  session_goal int32                # Sessions to be left at the end
  session_recipients [string]       # Nodes that take the sessions
  state string                      # evicting_conns, waiting_takeover, evicting_sessions or prohibiting
  stats EvacuationStats

EvacuationStats
  current_connected int32
  current_sessions int32
  initial_connected int32
  initial_sessions int32

EmqxCondition
  lastTransitionTime date-time      # When status last changed
  lastUpdateTime date-time          # When the operator last wrote it
  message string
  reason string
  status! string                    # True or False
  type! string                      # ClusterRunning, BlueGreenUpdating and others

EmqxNodeStatus
  connections int64                 # Sessions on the node in some versions, not connected clients
  node string
  node_status string                # Running or Stopped
  otp_release string
  version string

EmqxPlugin                          # A plugin of an EMQX 4.4 cluster
  apiVersion string
  kind string
  metadata object
  spec EmqxPluginSpec

EmqxPluginSpec
  config {string}                   # Settings of the plugin
  pluginName! string                # Name as EMQX knows it
  selector! {string}                # Labels of the clusters to load it in
"""
