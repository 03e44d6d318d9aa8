# Remove include directories that do not exist from the imported Python message targets.
#
# The exported targets <package>__rosidl_generator_py of ROS 2 wheels name the Python include
# directories of the machine that built the wheels. CMake refuses to generate when a target
# that is linked to has an include directory that does not exist. On an installation whose
# directories exist, such as a robot's, this changes nothing.
function(hand4d_drop_missing_include_directories)
  get_directory_property(targets IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    if(NOT target MATCHES "__rosidl_generator_py$")
      continue()
    endif()
    get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT directories)
      continue()
    endif()
    set(kept "")
    foreach(directory IN LISTS directories)
      # Generator expressions are known only later, so they stay.
      if(directory MATCHES "^\\$<" OR IS_DIRECTORY "${directory}")
        list(APPEND kept "${directory}")
      endif()
    endforeach()
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${kept}")
  endforeach()
endfunction()
