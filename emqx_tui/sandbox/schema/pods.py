"""What a pod and a Service are made of: selectors, affinity, security, tolerations, service ports.

Shared by the custom resources and the built-in kinds.
"""

POD_TYPES = r"""
LocalObjectReference atomic
  name string

LabelSelector atomic                # Selects objects by labels
  matchExpressions [LabelSelectorRequirement]
  matchLabels {string}

LabelSelectorRequirement
  key! string
  operator! string
  values [string]

Affinity                            # Which nodes and neighbours are preferred or needed
  nodeAffinity NodeAffinity
  podAffinity PodAffinity
  podAntiAffinity PodAffinity

NodeAffinity
  preferredDuringSchedulingIgnoredDuringExecution [PreferredSchedulingTerm]
  requiredDuringSchedulingIgnoredDuringExecution NodeSelector

PreferredSchedulingTerm
  preference! NodeSelectorTerm
  weight! int32

NodeSelector atomic
  nodeSelectorTerms! [NodeSelectorTerm]

NodeSelectorTerm atomic
  matchExpressions [LabelSelectorRequirement]
  matchFields [LabelSelectorRequirement]

PodAffinity
  preferredDuringSchedulingIgnoredDuringExecution [WeightedPodAffinityTerm]
  requiredDuringSchedulingIgnoredDuringExecution [PodAffinityTerm]

WeightedPodAffinityTerm
  podAffinityTerm! PodAffinityTerm
  weight! int32

PodAffinityTerm
  labelSelector LabelSelector
  matchLabelKeys [string]:atomic
  mismatchLabelKeys [string]:atomic
  namespaceSelector LabelSelector
  namespaces [string]
  topologyKey! string

PodSecurityContext                  # Security settings of all containers of the pod
  fsGroup int64
  fsGroupChangePolicy string
  runAsGroup int64
  runAsNonRoot bool
  runAsUser int64
  seLinuxOptions SELinuxOptions
  seccompProfile SeccompProfile
  supplementalGroups [int64]
  sysctls [NameValue]
  windowsOptions WindowsOptions

Toleration                          # A node taint that the pod accepts
  effect string                     # NoSchedule, PreferNoSchedule or NoExecute
  key string
  operator string
  tolerationSeconds int64           # Seconds that a NoExecute taint is tolerated
  value string

ServiceSpec                         # How a Service finds and exposes pods
  allocateLoadBalancerNodePorts bool
  clusterIP string                  # Address inside the cluster, or None
  clusterIPs [string]:atomic
  externalIPs [string]
  externalName string
  externalTrafficPolicy string
  healthCheckNodePort int32
  internalTrafficPolicy string
  ipFamilies [string]:atomic
  ipFamilyPolicy string
  loadBalancerClass string
  loadBalancerIP string
  loadBalancerSourceRanges [string]
  ports [ServicePort]:map(port,protocol) merge(port) # Ports that it offers
  publishNotReadyAddresses bool
  selector {string}~                # Labels of the pods behind it
  sessionAffinity string
  sessionAffinityConfig SessionAffinityConfig
  type string                       # ClusterIP, NodePort, LoadBalancer or ExternalName

ServicePort                         # One port of a Service
  appProtocol string
  name string
  nodePort int32                    # Port on every node
  port! int32
  protocol string ="TCP"
  targetPort int-or-string          # Port number or name at the pods

SessionAffinityConfig
  clientIP ClientIPConfig

ClientIPConfig
  timeoutSeconds int32
"""
