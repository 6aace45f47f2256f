# Scenarios of pdpd alone, with raw peers: see pdpd_kit.h.

# pdpd with faults by environment variable: the shipped objects with another fault_*.c.
add_executable(pdpd-faults ${CMAKE_SOURCE_DIR}/pdp/main.c fault_env.c)
target_link_libraries(pdpd-faults PRIVATE pdpd_parts pep_core pep_sign)

add_library(pep_pdpd_kit STATIC pdpd_kit.c pdpd_peers.c)
target_link_libraries(pep_pdpd_kit PUBLIC pep_test_support PkgConfig::ZMQ)
target_compile_definitions(pep_pdpd_kit PUBLIC
  PDPD_PROGRAM="$<TARGET_FILE:pdpd>" PDPD_FAULTS_PROGRAM="$<TARGET_FILE:pdpd-faults>")

function(pep_pdpd_scenario name seconds)
  add_executable(test_${name} test_${name}.c)
  target_link_libraries(test_${name} PRIVATE pep_core pep_pdpd_kit PkgConfig::CMOCKA)
  add_dependencies(test_${name} pdpd pdpd-faults)
  add_test(NAME scenario.${name} COMMAND test_${name})
  set_tests_properties(scenario.${name} PROPERTIES TIMEOUT ${seconds} LABELS scenario)
endfunction()

pep_pdpd_scenario(pdpd_start 120)
pep_pdpd_scenario(pdpd_push 120)
pep_pdpd_scenario(pdpd_doors 120)
pep_pdpd_scenario(pdpd_revoke 120)
pep_pdpd_scenario(pdpd_tokens 120)
target_sources(test_pdpd_tokens PRIVATE token_steps.c)
pep_pdpd_scenario(pdpd_tokens_far 120)
target_sources(test_pdpd_tokens_far PRIVATE token_steps.c)
target_link_libraries(test_pdpd_tokens_far PRIVATE pep_static)
target_compile_definitions(test_pdpd_tokens_far PRIVATE POLICYCTL_PROGRAM="$<TARGET_FILE:policyctl>")
add_dependencies(test_pdpd_tokens_far policyctl)
pep_pdpd_scenario(pdpd_kill 300)

# Peers that libzmq would never be.
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pep_pdpd_scenario(pdpd_attack 120)
target_sources(test_pdpd_attack PRIVATE curve_raw.c)
target_link_libraries(test_pdpd_attack PRIVATE PkgConfig::SODIUM)

# The other way round: a thief in pdpd's place against libpep.
pep_pdpd_scenario(pep_stolen 120)
target_sources(test_pep_stolen PRIVATE thief.c)
target_link_libraries(test_pep_stolen PRIVATE pep_static)

# Relayed token keys: pdpd, a client, and issuers' HTTPS servers on loopback.
add_library(pep_relay_kit STATIC relay_kit.c relay_certificates.c)
target_link_libraries(pep_relay_kit PUBLIC pep_pdpd_kit pep_static pep_sign PkgConfig::CRYPTO)
target_compile_definitions(pep_relay_kit PRIVATE
  JWKS_SERVER="${CMAKE_CURRENT_SOURCE_DIR}/jwks_server.py")
foreach(name relay_rotation relay_faults)
  pep_pdpd_scenario(${name} 120)
  target_link_libraries(test_${name} PRIVATE pep_relay_kit)
endforeach()
