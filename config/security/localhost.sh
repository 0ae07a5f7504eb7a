# To be sourced from the repository or the package's share folder: DDS on the loopback interface alone.
export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
_profile="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/localhost.xml"
# ROS 2 Jazzy reads another name than later distributions, which warn of it
if [ "${ROS_DISTRO:-jazzy}" = jazzy ]; then export FASTRTPS_DEFAULT_PROFILES_FILE="$_profile"; fi
if [ "${ROS_DISTRO:-}" != jazzy ]; then export FASTDDS_DEFAULT_PROFILES_FILE="$_profile"; fi
unset _profile
