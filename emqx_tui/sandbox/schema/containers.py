"""Containers as types: environment, ports, mounts, probes, hooks and security.

Shared by the custom resources, which embed containers, and by the built-in kinds. Field sets are those of
Kubernetes 1.29, which emqx-operator 2.2 was built with.
"""

CONTAINER_TYPES = r"""
Container                           # One container of a pod
  args [string]                     # Arguments of the entry point
  command [string]                  # Entry point instead of the image's
  env [EnvVar] merge(name)          # Environment
  envFrom [EnvFromSource]
  image string                      # Image name
  imagePullPolicy string            # Always, Never or IfNotPresent
  lifecycle Lifecycle
  livenessProbe Probe               # When to restart the container
  name! string                      # Unique in the pod
  ports [ContainerPort]:map(containerPort,protocol) merge(containerPort) # Ports that it listens on
  readinessProbe Probe              # When the container may serve
  resizePolicy [ContainerResizePolicy]:atomic
  resources ResourceRequirements    # CPU and memory
  restartPolicy string
  securityContext SecurityContext
  startupProbe Probe                # When the container has started
  stdin bool
  stdinOnce bool
  terminationMessagePath string
  terminationMessagePolicy string
  tty bool
  volumeDevices [VolumeDevice] merge(devicePath)
  volumeMounts [VolumeMount] merge(mountPath) # Where volumes appear
  workingDir string

EphemeralContainer                  # A container added to a running pod for debugging
  args [string]
  command [string]
  env [EnvVar] merge(name)
  envFrom [EnvFromSource]
  image string
  imagePullPolicy string
  lifecycle Lifecycle
  livenessProbe Probe
  name! string
  ports [ContainerPort]:map(containerPort,protocol) merge(containerPort)
  readinessProbe Probe
  resizePolicy [ContainerResizePolicy]:atomic
  resources ResourceRequirements
  restartPolicy string
  securityContext SecurityContext
  startupProbe Probe
  stdin bool
  stdinOnce bool
  targetContainerName string
  terminationMessagePath string
  terminationMessagePolicy string
  tty bool
  volumeDevices [VolumeDevice] merge(devicePath)
  volumeMounts [VolumeMount] merge(mountPath)
  workingDir string

ContainerResizePolicy
  resourceName! string
  restartPolicy! string

ContainerPort                       # A port that the container listens on
  containerPort! int32
  hostIP string
  hostPort int32
  name string
  protocol string ="TCP"

EnvVar                              # One environment variable
  name! string
  value string
  valueFrom EnvVarSource

EnvVarSource
  configMapKeyRef KeySelector
  fieldRef ObjectFieldSelector
  resourceFieldRef ResourceFieldSelector
  secretKeyRef KeySelector

EnvFromSource
  configMapRef OptionalReference
  prefix string
  secretRef OptionalReference

KeySelector atomic
  key! string
  name string
  optional bool

ObjectFieldSelector atomic
  apiVersion string
  fieldPath! string

ResourceFieldSelector atomic
  containerName string
  divisor quantity
  resource! string

OptionalReference atomic
  name string
  optional bool

VolumeDevice
  devicePath! string
  name! string

VolumeMount
  mountPath! string
  mountPropagation string
  name! string
  readOnly bool
  subPath string
  subPathExpr string

ResourceRequirements                # CPU and memory
  claims [ResourceClaim]:map(name)
  limits {quantity}                 # Upper bounds
  requests {quantity}               # Guaranteed amounts

ResourceClaim
  name! string

Lifecycle
  postStart LifecycleHandler
  preStop LifecycleHandler

LifecycleHandler
  exec ExecAction
  httpGet HTTPGetAction
  sleep SleepAction
  tcpSocket TCPSocketAction

Probe                               # A check that the kubelet repeats
  exec ExecAction
  failureThreshold int32            # Failures in a row that count
  grpc GRPCAction
  httpGet HTTPGetAction
  initialDelaySeconds int32         # Seconds before the first check
  periodSeconds int32               # Seconds between two checks
  successThreshold int32            # Successes in a row that count
  tcpSocket TCPSocketAction
  terminationGracePeriodSeconds int64
  timeoutSeconds int32              # Seconds that one check may take

ExecAction
  command [string]

HTTPGetAction
  host string
  httpHeaders [NameValue]
  path string
  port! int-or-string
  scheme string

NameValue
  name! string
  value! string

SleepAction
  seconds! int64

TCPSocketAction
  host string
  port! int-or-string

GRPCAction
  port! int32
  service string =""

SecurityContext                     # Security settings of one container
  allowPrivilegeEscalation bool
  capabilities Capabilities
  privileged bool
  procMount string
  readOnlyRootFilesystem bool
  runAsGroup int64
  runAsNonRoot bool
  runAsUser int64
  seLinuxOptions SELinuxOptions
  seccompProfile SeccompProfile
  windowsOptions WindowsOptions

Capabilities
  add [string]
  drop [string]

SELinuxOptions
  level string
  role string
  type string
  user string

SeccompProfile
  localhostProfile string
  type! string

WindowsOptions
  gmsaCredentialSpec string
  gmsaCredentialSpecName string
  hostProcess bool
  runAsUserName string
"""
