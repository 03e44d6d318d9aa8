# Sourced by the scripts beside this directory: messages, paths and a clean environment.

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
venv=$root/.venv
# Progress goes to stderr, so that the output of a command stays its own.
say() { printf 'hand4d: %s\n' "$*" >&2; }

fail() {
  printf 'hand4d: %s\n' "$@" >&2
  exit 1
}

# Print the entries of the colon-separated list $1 that belong to no ROS installation: neither
# one that is sourced nor the wheels of another virtual environment.
without_ros() {
  local entry prefix kept='' IFS=:
  for entry in $1; do
    for prefix in /opt/ros ${AMENT_PREFIX_PATH:-}; do
      [[ $entry/ == "$prefix"/* ]] && continue 2
    done
    [[ $entry == */site-packages/ros_*.libs ]] && continue
    kept+=${kept:+:}$entry
  done
  printf '%s' "$kept"
}

# A sourced ROS installation would put its own rclpy and libraries in front of the wheels of
# the virtual environment, and the two do not mix. So the scripts leave it outside.
leave_sourced_ros() {
  if [[ -n ${ROS_DISTRO:-} ]]; then
    say "ROS 2 $ROS_DISTRO is sourced in this shell; the scripts use the one in .venv instead."
  fi
  local name
  for name in PATH LD_LIBRARY_PATH; do
    if [[ -n ${!name:-} ]]; then
      export "$name=$(without_ros "${!name}")"
    fi
  done
  # The last one would tell the wheels of .venv that their libraries are on the path already.
  unset AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH PYTHONPATH PYTHONHOME \
    RMW_IMPLEMENTATION ROS_DISTRO ROS_VERSION ROS_PYTHON_VERSION _ROS_WHEELS_BOOTSTRAP_COMPLETE
}

# Use the virtual environment for everything that the calling script starts.
enter_venv() {
  leave_sourced_ros
  export VIRTUAL_ENV=$venv PATH=$venv/bin:$PATH
}
