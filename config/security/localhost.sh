# To be sourced from the repository or the package's share folder: DDS on the loopback interface alone.
export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
export FASTDDS_DEFAULT_PROFILES_FILE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/localhost.xml"
# the name that Fast DDS 2 of ROS 2 Jazzy reads
export FASTRTPS_DEFAULT_PROFILES_FILE="$FASTDDS_DEFAULT_PROFILES_FILE"
