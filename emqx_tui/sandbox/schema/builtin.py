"""The built-in kinds that the simulated cluster knows, as types.

Owns what `kubectl explain`, field ownership and strategic merge need to know of them: field names, which lists
merge by which key, what is atomic. It is not a definition to refuse objects by; the few rules of that sort are
in `builtin_rules`. Seldom used corners are `object`, a free-form value.
"""

BUILTIN_TYPES = r"""
ObjectMeta                          # Standard object metadata
  annotations {string}              # Free notes for tools
  creationTimestamp date-time       # Set by the server
  deletionGracePeriodSeconds int64
  deletionTimestamp date-time       # Set once somebody deletes it
  finalizers [string]:set merge     # Who must agree before it goes
  generateName string               # Prefix of a generated name
  generation int64                  # Counts changes of the desired state
  labels {string}                   # Keys that selectors match
  managedFields [ManagedFieldsEntry]:atomic
  name string
  namespace string
  ownerReferences [OwnerReference]:map(uid) merge(uid)   # Goes when they go
  resourceVersion string            # Version of the object, for optimistic locking
  selfLink string
  uid string

OwnerReference atomic
  apiVersion! string
  blockOwnerDeletion bool
  controller bool
  kind! string
  name! string
  uid! string

ManagedFieldsEntry
  apiVersion string
  fieldsType string
  fieldsV1 object
  manager string
  operation string
  subresource string
  time date-time

ObjectReference atomic
  apiVersion string
  fieldPath string
  kind string
  name string
  namespace string
  resourceVersion string
  uid string

Pod                                 # Containers that run together
  apiVersion string
  kind string
  metadata ObjectMeta
  spec PodSpec
  status PodStatus

PodTemplateSpec
  metadata ObjectMeta
  spec PodSpec

PodSpec
  activeDeadlineSeconds int64
  affinity Affinity
  automountServiceAccountToken bool
  containers! [Container]:map(name) merge(name)   # At least one
  dnsConfig object
  dnsPolicy string
  enableServiceLinks bool
  ephemeralContainers [EphemeralContainer]:map(name) merge(name)
  hostAliases [HostAlias]:map(ip) merge(ip)
  hostIPC bool
  hostNetwork bool
  hostPID bool
  hostUsers bool
  hostname string
  imagePullSecrets [LocalObjectReference]:map(name) merge(name)
  initContainers [Container]:map(name) merge(name)   # Run one after another before the others
  nodeName string                   # The node that runs it
  nodeSelector {string}~
  os object
  overhead {quantity}
  preemptionPolicy string
  priority int32
  priorityClassName string
  readinessGates [PodReadinessGate]:atomic   # Conditions that must hold for Ready
  resourceClaims [PodResourceClaim]:map(name) merge+retainKeys(name)
  restartPolicy string
  runtimeClassName string
  schedulerName string
  schedulingGates [NamedItem]:map(name) merge(name)
  securityContext PodSecurityContext
  serviceAccount string
  serviceAccountName string
  setHostnameAsFQDN bool
  shareProcessNamespace bool
  subdomain string
  terminationGracePeriodSeconds int64   # Seconds between SIGTERM and SIGKILL
  tolerations [Toleration]:atomic
  topologySpreadConstraints [TopologySpreadConstraint]:map(topologyKey,whenUnsatisfiable) merge(topologyKey)
  volumes [Volume]:map(name) merge+retainKeys(name)

NamedItem
  name! string

PodResourceClaim
  name! string
  source object

HostAlias
  hostnames [string]:atomic
  ip! string

PodReadinessGate
  conditionType! string

TopologySpreadConstraint
  labelSelector LabelSelector
  matchLabelKeys [string]:atomic
  maxSkew! int32
  minDomains int32
  nodeAffinityPolicy string
  nodeTaintsPolicy string
  topologyKey! string
  whenUnsatisfiable! string

PodStatus
  conditions [PodCondition]:map(type) merge(type)   # Ready, ContainersReady, readiness gates
  containerStatuses [ContainerStatus]:atomic
  ephemeralContainerStatuses [ContainerStatus]:atomic
  hostIP string
  hostIPs [HostIP]:atomic merge(ip)
  initContainerStatuses [ContainerStatus]:atomic
  message string
  nominatedNodeName string
  phase string                      # Pending, Running, Succeeded, Failed or Unknown
  podIP string
  podIPs [HostIP]:map(ip) merge(ip)
  qosClass string
  reason string
  resize string
  startTime date-time

HostIP
  ip! string

PodCondition
  lastProbeTime date-time
  lastTransitionTime date-time
  message string
  reason string
  status! string
  type! string

ContainerStatus
  allocatedResources {quantity}
  containerID string
  image! string
  imageID! string
  lastState object
  name! string
  ready! bool
  resources ResourceRequirements
  restartCount! int32
  started bool
  state object

StatefulSet                         # Pods with fixed names, numbered from 0
  apiVersion string
  kind string
  metadata ObjectMeta
  spec StatefulSetSpec
  status StatefulSetStatus

StatefulSetSpec
  minReadySeconds int32
  ordinals object
  persistentVolumeClaimRetentionPolicy object
  podManagementPolicy string        # OrderedReady or Parallel
  replicas int32                    # Number of pods
  revisionHistoryLimit int32
  selector! LabelSelector
  serviceName! string
  template! PodTemplateSpec         # The pods; a change makes a new revision
  updateStrategy object             # RollingUpdate or OnDelete
  volumeClaimTemplates [PersistentVolumeClaim]:atomic

StatefulSetStatus
  availableReplicas int32
  collisionCount int32
  conditions [WorkloadCondition]:map(type) merge(type)
  currentReplicas int32             # Pods of the current revision
  currentRevision string
  observedGeneration int64
  readyReplicas int32
  replicas! int32
  updateRevision string
  updatedReplicas int32

WorkloadCondition
  lastTransitionTime date-time
  lastUpdateTime date-time
  message string
  reason string
  status! string
  type! string

Deployment                          # Interchangeable pods, replaced little by little
  apiVersion string
  kind string
  metadata ObjectMeta
  spec DeploymentSpec
  status DeploymentStatus

DeploymentSpec
  minReadySeconds int32
  paused bool
  progressDeadlineSeconds int32
  replicas int32
  revisionHistoryLimit int32
  selector! LabelSelector
  strategy DeploymentStrategy retainKeys
  template! PodTemplateSpec

DeploymentStrategy
  rollingUpdate object
  type string

DeploymentStatus
  availableReplicas int32
  collisionCount int32
  conditions [WorkloadCondition]:map(type) merge(type)
  observedGeneration int64
  readyReplicas int32
  replicas int32
  unavailableReplicas int32
  updatedReplicas int32

Service                             # One address in front of pods
  apiVersion string
  kind string
  metadata ObjectMeta
  spec ServiceSpec
  status ServiceStatus

ServiceStatus
  conditions [WorkloadCondition]:map(type) merge(type)
  loadBalancer object

Endpoints                           # Addresses behind a Service
  apiVersion string
  kind string
  metadata ObjectMeta
  subsets [EndpointSubset]:atomic   # Addresses with the same ports

EndpointSubset
  addresses [EndpointAddress]:atomic   # Take traffic
  notReadyAddresses [EndpointAddress]:atomic   # Do not take traffic yet
  ports [EndpointPort]:atomic

EndpointAddress atomic
  hostname string
  ip! string
  nodeName string
  targetRef ObjectReference

EndpointPort atomic
  appProtocol string
  name string
  port! int32
  protocol string

EndpointSlice                       # Part of the addresses behind a Service
  addressType! string
  apiVersion string
  endpoints! [object]:atomic
  kind string
  metadata ObjectMeta
  ports [object]:atomic

ConfigMap                           # Settings
  apiVersion string
  binaryData {byte}
  data {string}
  immutable bool
  kind string
  metadata ObjectMeta

Secret                              # Settings that not everybody may read
  apiVersion string
  data {byte}                       # Values in base64
  immutable bool
  kind string
  metadata ObjectMeta
  stringData {string}               # Values as text; only written, never read back
  type string

Event                               # Something that happened to an object
  action string
  apiVersion string
  count int32
  eventTime date-time
  firstTimestamp date-time
  involvedObject! ObjectReference
  kind string
  lastTimestamp date-time
  message string
  metadata! ObjectMeta
  reason string
  related ObjectReference
  reportingComponent string
  reportingInstance string
  series object
  source object
  type string                       # Normal or Warning

Lease                               # Who leads, and until when
  apiVersion string
  kind string
  metadata ObjectMeta
  spec LeaseSpec

LeaseSpec
  acquireTime date-time             # When the holder got it
  holderIdentity string             # Who holds it
  leaseDurationSeconds int32        # Seconds after the last renewal until others may take it
  leaseTransitions int32            # How often it changed hands
  preferredHolder string
  renewTime date-time               # When the holder last renewed it
  strategy string

Namespace                           # A scope of names
  apiVersion string
  kind string
  metadata ObjectMeta
  spec NamespaceSpec
  status NamespaceStatus

NamespaceSpec
  finalizers [string]:atomic

NamespaceStatus
  conditions [WorkloadCondition]:map(type) merge(type)
  phase string

Node                                # A machine of the cluster
  apiVersion string
  kind string
  metadata ObjectMeta
  spec object
  status object

PersistentVolumeClaim               # A request for storage
  apiVersion string
  kind string
  metadata ObjectMeta
  spec PersistentVolumeClaimSpec
  status PersistentVolumeClaimStatus

PersistentVolumeClaimStatus
  accessModes [string]:atomic
  capacity {quantity}
  conditions [WorkloadCondition]:map(type) merge(type)
  phase string

ServiceAccount                      # An account that pods run as
  apiVersion string
  automountServiceAccountToken bool
  imagePullSecrets [LocalObjectReference]:atomic
  kind string
  metadata ObjectMeta
  secrets [ObjectReference]:map(name) merge(name)
"""
