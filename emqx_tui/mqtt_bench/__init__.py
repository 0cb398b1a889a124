"""`bench`: many MQTT connections from one process, counted. It knows neither the console nor the sandbox."""
